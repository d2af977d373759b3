// The one place where concrete classes are chosen: which remote, which cache, which pools make up a store in use.
#pragma once

#include <memory>
#include <string>

#include "base/executor.h"
#include "base/memory_budget.h"
#include "base/random.h"
#include "cache/no_block_cache.h"
#include "cache/staging_area.h"
#include "cli/settings.h"
#include "fs/file_system.h"
#include "remote/open.h"
#include "store/environment.h"

namespace cairn {

class NoStagingArea final : public StagingArea {
 public:
  Result<std::unique_ptr<StagingFile>> create() override { return fail(Errc::read_only, "opened for reading only"); }
  Result<std::vector<KeptStagingFile>> take_kept() override { return std::vector<KeptStagingFile>(); }
};

// A store that is only looked at, without a mount: no cache, no staging, nothing written.
class ReadOnlyStore {
 public:
  // Failures: those of open_object_store and open_store_format.
  static Result<std::unique_ptr<ReadOnlyStore>> open(const std::string& url);
  [[nodiscard]] StoreEnvironment& environment() { return environment_; }

 private:
  ReadOnlyStore(std::unique_ptr<ObjectStore> bare, StoreFormat format);

  KernelRandom random_;
  RemoteStack remote_;
  NoBlockCache cache_;
  NoStagingArea staging_;
  MemoryBudget memory_;
  Executor compute_;
  Executor io_;
  StoreEnvironment environment_;
};

// What a mount's daemon works with, from the remote up to the filesystem; the kernel is not part of it.
// Thread-safety: the accessors' objects are as their classes say.
// Ownership: owns everything. The destructor publishes nothing: call file_system().shut_down() first.
class MountedStore {
 public:
  struct Options {
    std::string url;
    std::string cache_dir;  // exists; this process's own
    Settings settings;
  };
  // Failures: those of the parts; conflict: another process has the cache directory.
  static Result<std::unique_ptr<MountedStore>> open(const Options& options);
  ~MountedStore();

  [[nodiscard]] FileSystem& file_system() { return *file_system_; }
  [[nodiscard]] ChunkReader& chunk_reader() { return *reader_; }
  [[nodiscard]] StoreEnvironment& environment() { return *environment_; }
  [[nodiscard]] const RemoteStack& remote() const { return *remote_; }

 private:
  MountedStore() = default;
  // The second half of open(), once the parts that can fail to open have: the store's own classes.
  Result<void> start(StoreFormat format, const Settings& settings, const RequestContext& context);

  // In the order in which they are made; each uses only those above it.
  KernelRandom random_;
  std::unique_ptr<RemoteStack> remote_;
  std::unique_ptr<BlockCache> cache_;
  std::unique_ptr<StagingArea> staging_;
  std::unique_ptr<MemoryBudget> memory_;
  std::unique_ptr<Executor> compute_;
  std::unique_ptr<Executor> io_;
  std::unique_ptr<StoreEnvironment> environment_;
  std::unique_ptr<ChunkReader> reader_;
  std::unique_ptr<ChunkWriter> writer_;
  std::unique_ptr<FileSystem> file_system_;
};

}  // namespace cairn
