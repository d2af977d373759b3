// One image as its cache knows it.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "cache/images/image_file.h"
#include "cache/images/image_map.h"
#include "cache/staging_area.h"

namespace cairn {

enum class ChunkState : uint8_t {
  absent,
  writing,   // on its way to the disk; read from memory meanwhile
  unproven,  // on the disk, as a map from before says: checked before a reader gets it from this process
  proven,    // on the disk, and checked by this process, when it came or since
};

// Thread-safety: what is constant, and file(), from any thread; the rest belongs to its DiskImageCache, under its
// mutex.
class ImageRecord {
 public:
  ImageRecord(std::string stem, const ImageId& content, uint64_t size, ChunkList list)
      : path(std::move(stem)),
        id(content),
        size_bytes(size),
        chunks(std::move(list)),
        states(chunks->size(), ChunkState::absent),
        not_proven(chunks->size()) {}

  // The map goes first: without it the data is nothing.
  void remove_files() const {
    ::unlink(map_path().c_str());
    ::unlink(data_path().c_str());
  }

  [[nodiscard]] std::string data_path() const { return path + ".data"; }
  [[nodiscard]] std::string map_path() const { return path + ".map"; }

  [[nodiscard]] bool is_whole() const { return not_proven == 0 || is_noted_whole; }

  // The file, made or opened if need be. Failures: those of ImageFile.
  Result<std::shared_ptr<ImageFile>> file() {
    const MutexLock lock(opening_);
    if (!file_) {
      auto opened = has_file_ ? ImageFile::open(data_path(), size_bytes) : ImageFile::create(data_path(), size_bytes);
      if (!opened) return fail(std::move(opened).error());
      file_ = std::move(*opened);
      has_file_ = true;
    }
    return file_;
  }
  // The same of what somebody else has written, if there is no file yet.
  Result<std::shared_ptr<ImageFile>> file_from(StagingFile& staging) {
    const MutexLock lock(opening_);
    if (has_file_) return fail(Errc::already_exists, "'{}' is there", data_path());
    if (::ftruncate(staging.fd(), static_cast<off_t>(size_bytes)) != 0) {
      return fail(error_from_errno(errno, "cut a staging file"));
    }
    if (auto moved = staging.move_to(data_path()); !moved) return fail(std::move(moved).error());
    has_file_ = true;
    auto opened = ImageFile::open(data_path(), size_bytes);
    if (!opened) return fail(std::move(opened).error());
    file_ = std::move(*opened);
    return file_;
  }
  // Its descriptors go, once the last who works with them is done.
  void close_file() {
    const MutexLock lock(opening_);
    file_.reset();
  }
  void has_file() {
    const MutexLock lock(opening_);
    has_file_ = true;
  }

  const std::string path;  // without what tells data from map
  const ImageId id;
  const uint64_t size_bytes;
  const ChunkList chunks;

  // The cache's:
  std::vector<ChunkState> states;                       // by chunk
  size_t not_proven;                                    // chunks in another state than that
  uint64_t used_bytes = 0;                              // of the chunks that are not absent
  std::unordered_map<size_t, SharedBuffer> on_the_way;  // by chunk: what is being written
  uint64_t last_use = 0;                                // grows with every use of any image
  size_t holders = 0;
  bool is_noted_whole = false;  // its map says so, durably: enough for the kernel to read it
  bool is_gone = false;         // evicted
  bool is_adopting = false;     // its bytes are being taken over: no others are taken
  bool takes_nothing = false;   // it has no file that can be used
  bool is_settling = false;     // somebody is to look after it
  bool settles_again = false;   // and once more
  uint64_t unsaved_bytes = 0;   // that its map does not know of
  SteadyTime scrubbed{};        // when its bytes were read again, or came

 private:
  Mutex opening_;  // held over local I/O
  bool has_file_ CAIRN_GUARDED_BY(opening_) = false;
  std::shared_ptr<ImageFile> file_ CAIRN_GUARDED_BY(opening_);
};
using ImageRecordPtr = std::shared_ptr<ImageRecord>;

// Images that are not there any more. Their files go with this object, which is to outlive the lock: the disk may take
// its time over a large one.
struct EvictedImages {
  EvictedImages() = default;
  ~EvictedImages() {
    for (const ImageRecordPtr& image : images) {
      if (are_ours) image->remove_files();
      image->close_file();  // else their room on the disk stays taken
    }
  }
  EvictedImages(const EvictedImages&) = delete;
  EvictedImages& operator=(const EvictedImages&) = delete;
  std::vector<ImageRecordPtr> images;
  bool are_ours = true;  // what lies under their names is theirs
};

}  // namespace cairn
