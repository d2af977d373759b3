// The one class that chooses the concrete classes: which remote, which cache, which pools make up a store in use.
#pragma once

#include <memory>
#include <string>

#include "base/executor.h"
#include "base/memory_budget.h"
#include "cache/block_cache.h"
#include "cache/image_cache.h"
#include "cache/images/image_scrub.h"
#include "cache/staging_area.h"
#include "daemon/settings.h"
#include "daemon/verification.h"
#include "fs/store_file_system.h"
#include "remote/remote_stack.h"
#include "store/chunks/chunk_reader.h"
#include "store/chunks/chunk_writer.h"
#include "store/environment.h"

namespace cairn {

// What a mount's daemon works with, from the remote up to the filesystem; the kernel is not part of it.
// Thread-safety: the accessors' objects are as their classes say.
// Ownership: owns everything. The destructor publishes nothing: call control().shut_down() first.
class MountedStore {
 public:
  struct Options {
    std::unique_ptr<RemoteStack> remote;
    StoreFormat format;     // of the store behind it
    std::string cache_dir;  // exists; this process's own
    Settings settings;
    std::string store_dir{};  // of a `dir:` store; "": it is elsewhere
  };
  // Failures: those of the parts; conflict: another process has the cache directory.
  static Result<std::unique_ptr<MountedStore>> open(Options options);
  ~MountedStore();

  [[nodiscard]] FileSystem& file_system() { return *file_system_; }
  [[nodiscard]] FileSystemControl& control() { return *file_system_; }
  [[nodiscard]] ChunkReader& chunk_reader() { return *reader_; }
  [[nodiscard]] StoreEnvironment& environment() { return *environment_; }
  [[nodiscard]] const RemoteStack& remote() const { return *remote_; }
  [[nodiscard]] const Verification& verification() const { return verification_; }

 private:
  MountedStore() = default;
  Result<void> open_images(const std::string& directory, uint64_t capacity, const Settings& settings);
  // The second half of open(), once the parts that can fail to open have: the store's own classes.
  Result<void> start(StoreFormat format, const Settings& settings);

  // In the order in which they are made; each uses only members above it.
  std::unique_ptr<RemoteStack> remote_;
  Verification verification_;
  std::unique_ptr<BlockCache> cache_;
  std::unique_ptr<ImageCache> images_;
  std::unique_ptr<ImageScrub> scrub_;
  std::unique_ptr<StagingArea> staging_;
  std::unique_ptr<MemoryBudget> memory_;
  std::unique_ptr<Executor> compute_;
  std::unique_ptr<Executor> io_;
  std::unique_ptr<StoreEnvironment> environment_;
  std::unique_ptr<ChunkReader> reader_;
  std::unique_ptr<ChunkWriter> writer_;
  std::unique_ptr<StoreFileSystem> file_system_;
};

}  // namespace cairn
