// Images in a directory of this machine's disk.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/wait.h"
#include "cache/block_cache.h"
#include "cache/directory_lock.h"
#include "cache/image_cache.h"
#include "cache/images/image_record.h"

namespace cairn {

// Lives in `<path>/images/`: for each image `<n>.data`, the bytes, and `<n>.map` (image_map.h), whose mtime is its last
// use; and a lock. What a map does not speak of is nothing.
//
// A put is written by O_DIRECT from the very buffer that it came in, by threads of the cache's own, so that neither the
// page cache nor a copy stands between the network and the disk. Nothing that was taken is dropped because the disk is
// slow: is_behind() tells those who could fetch less. The bytes of all images together, and of the blocks beside them,
// stay below one capacity: the image that was used longest ago goes first, but for those that somebody holds.
//
// Each process checks each chunk once before it gives any of it to a reader: when it comes, or when it is first read
// after a restart. The kernel may read what is whole: all of it checked by this process, or said so by a map, which is
// written after the bytes are on the disk. An image that lacks only what other images or the blocks have is filled from
// them.
//
// Thread-safety: all methods may be called from any thread at once.
// Ownership: open it after fork(); one process at a time (flock). Borrows the blocks, which must outlive it. Whoever
// has
//   an Image lets go of it before this ends.
// Memory: about 150 bytes for each chunk that is here, and one chunk for each of three threads. Descriptors: kMostOpen
//   images have three each; whoever reads by himself has his own.
class DiskImageCache final : public ImageCache {
 public:
  struct Options {
    std::string path;
    uint64_t capacity_bytes = 0;           // of images and blocks together
    uint64_t least_bytes = 4 << 20;        // a smaller file has no image
    uint64_t queue_bytes = 64 << 20;       // on their way to the disk: from there on it is behind
    uint32_t care = 0;                     // as LmdbBlockCache::Options::care
    BlockCache* blocks = nullptr;          // beside it
    const Clock* clock = &system_clock();  // borrowed
  };

  // Failures: conflict (in use by another process), permission_denied, no_space, io.
  static Result<std::unique_ptr<DiskImageCache>> open(Options options);
  ~DiskImageCache() override;
  DiskImageCache(const DiskImageCache&) = delete;
  DiskImageCache& operator=(const DiskImageCache&) = delete;

  ImagePtr open(uint64_t size_bytes, const ChunkList& chunks) override;
  bool read(const ChunkRef& chunk, uint64_t offset, MutableByteView out) override;
  [[nodiscard]] bool contains(const ChunkId& id) const override;
  [[nodiscard]] bool is_behind() const override;
  void flush() override;
  void clear() override;
  [[nodiscard]] ImageCacheStats stats() const override;

  // Reads one whole image again that was not read again since `before`, and drops what does not match: for a thread
  // that goes on in the background. `may_read` is asked before each chunk, with its size; false ends it. False: there
  // is no such image.
  bool scrub_one(SteadyTime before, const std::function<bool(uint64_t)>& may_read);

 private:
  class Held;
  using Evicted = EvictedImages;
  enum class Loaded { sound, damaged, not_now };
  struct Spot {
    ImageRecordPtr image;
    size_t chunk = 0;
    bool is_proven = false;
    SharedBuffer on_the_way;
  };

  DiskImageCache(Options options, std::string directory, DirectoryLock lock);
  void load();
  void load_image(const std::string& stem);

  void release(const ImageRecordPtr& image);
  void put(const ImageRecordPtr& image, const ChunkRef& chunk, SharedBuffer plain);
  bool adopt(const ImageRecordPtr& image, StagingFile& file, const std::function<bool(const ChunkRef&)>& has);
  [[nodiscard]] bool contains(const ImageRecord& image, const ChunkRef& chunk) const;
  std::shared_ptr<const UniqueFd> whole(const ImageRecordPtr& image);
  Result<std::shared_ptr<ImageFile>> file_of(const ImageRecordPtr& image);

  bool begin_locked(ImageRecord& image, size_t chunk, const SharedBuffer& plain, Evicted& evicted)
      CAIRN_REQUIRES(mutex_);
  bool write(const ImageRecordPtr& image, size_t chunk, ByteView plain);
  Result<void> write_to_disk(const ImageRecordPtr& image, uint64_t offset, ByteView plain);
  Loaded load_checked(const ImageRecordPtr& image, size_t chunk, MutableByteView out);
  void prove(ImageRecord& image, size_t chunk);
  void drop(const ImageRecordPtr& image, size_t chunk, const std::string& why);

  void settle_soon_locked(const ImageRecordPtr& image) CAIRN_REQUIRES(mutex_);
  void settle(const ImageRecordPtr& image);
  void fill(const ImageRecordPtr& image);
  bool fill_chunk(const ImageRecordPtr& image, size_t chunk);
  [[nodiscard]] bool is_fillable(const ImageRecord& image) const;
  void save(const ImageRecordPtr& image);

  void keep_watch(const std::stop_token& stop);
  void start_over();

  [[nodiscard]] std::optional<Spot> find_locked(const ChunkRef& chunk) const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] uint64_t limit_locked() const CAIRN_REQUIRES(mutex_);
  bool make_room_locked(uint64_t bytes, Evicted& evicted) CAIRN_REQUIRES(mutex_);
  bool evict_oldest_locked(Evicted& evicted) CAIRN_REQUIRES(mutex_);
  static bool is_idle(const ImageRecord& image);
  void evict_locked(const ImageRecordPtr& image, Evicted& evicted) CAIRN_REQUIRES(mutex_);
  void touch_locked(ImageRecord& image) CAIRN_REQUIRES(mutex_);
  void index_locked(ImageRecord& image, size_t chunk) CAIRN_REQUIRES(mutex_);
  void unindex_locked(const ImageRecord& image, size_t chunk) CAIRN_REQUIRES(mutex_);

  const Options options_;
  const std::string directory_;
  DirectoryLock lock_;  // of open(), then of the thread that watches

  mutable Mutex mutex_;
  Condition progress_;
  std::unordered_map<ImageId, ImageRecordPtr, DigestHash> images_ CAIRN_GUARDED_BY(mutex_);
  std::map<uint64_t, ImageRecord*> by_use_ CAIRN_GUARDED_BY(mutex_);  // ImageRecord::last_use
  struct Location {
    ImageRecord* image;
    size_t chunk;
  };
  std::unordered_multimap<ChunkId, Location, DigestHash> index_ CAIRN_GUARDED_BY(mutex_);
  uint64_t next_number_ CAIRN_GUARDED_BY(mutex_) = 1;
  uint64_t uses_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t tasks_begun_ CAIRN_GUARDED_BY(mutex_) = 0;  // writes and settlings, in the order of their coming
  uint64_t tasks_ended_ CAIRN_GUARDED_BY(mutex_) = 0;
  SteadyTime paused_until_ CAIRN_GUARDED_BY(mutex_){};  // the disk is full or faulty: takes no chunks before
  ImageCacheStats stats_ CAIRN_GUARDED_BY(mutex_);
  // What the disk has left for images, by the last look; more is not taken.
  uint64_t disk_bytes_ CAIRN_GUARDED_BY(mutex_) = ~uint64_t{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> is_ours_{true};  // the directory: this process has its lock

  Mutex open_mutex_;
  std::vector<ImageRecordPtr> open_ CAIRN_GUARDED_BY(open_mutex_);  // whose files are open, the last used at the end

  // Last, and in this order: their tasks use everything above, and settling makes no writes for the others.
  Executor settler_;
  Executor writers_;
  Thread watch_;
};

}  // namespace cairn
