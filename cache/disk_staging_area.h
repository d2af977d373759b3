// Staging files in a directory of a local disk.
#pragma once

#include <atomic>
#include <memory>

#include "base/mutex.h"
#include "cache/directory_lock.h"
#include "cache/keep_log.h"
#include "cache/spare_files.h"
#include "cache/staging_area.h"

namespace cairn {

// Lives in `<path>/staging/`: each staging file is `<n>.data`; while it is written `<n>.open` holds its note and log,
// and once kept `<n>.kept` its description, both with a checksum. A `.data` without either was never promised to
// anybody. Small files that are kept briefly stand in a KeepLog beside them; what an earlier process left there becomes
// `.data` and `.kept` when the area is opened. May share `path` with an LmdbBlockCache.
//
// A directory that somebody empties is made anew by the next create(); what was staged there goes on without a name,
// and can be published but not kept.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: staging files may outlive their area, but then no longer its lock.
// Durability: after keep() or keep_briefly() returned, the bytes and the description survive power loss.
class DiskStagingArea final : public StagingArea {
 public:
  // What the staging files of one area have in common.
  struct Shared {
    Shared(const std::string& directory, uint64_t limit_bytes, uint64_t most_files);
    StagingRoom room;
    KeepLog log;
    SpareFiles spares;
  };

  // Failures: conflict (another process has this directory), permission_denied, no_space, io.
  // `limit_bytes`: the most that may be staged; 0: as much as the disk has. `most_files`: what users share
  // (StagingRoom).
  static Result<std::unique_ptr<DiskStagingArea>> open(const std::string& path, uint64_t limit_bytes = 0,
                                                       uint64_t most_files = std::numeric_limits<uint64_t>::max());

  Result<std::unique_ptr<StagingFile>> create(uint32_t user) override;

  // A kept file whose description is damaged stays on the disk for a person to look at, and is logged as an error.
  Result<std::vector<KeptStagingFile>> take_kept() override;
  StagingRoom& room() override { return shared_->room; }

 private:
  Result<void> restore_directory();
  DiskStagingArea(std::string directory, DirectoryLock lock, std::shared_ptr<Shared> shared,
                  std::vector<uint64_t> found)
      : directory_(std::move(directory)),
        shared_(std::move(shared)),
        lock_(std::move(lock)),
        next_(found.empty() ? 1 : found.back() + 1),
        found_(std::move(found)) {}

  const std::string directory_;
  const std::shared_ptr<Shared> shared_;
  Mutex lock_mutex_;
  DirectoryLock lock_ CAIRN_GUARDED_BY(lock_mutex_);
  std::atomic<uint64_t> next_;  // the number of the next staging file: above every one found at open
  Mutex found_mutex_;
  std::vector<uint64_t> found_ CAIRN_GUARDED_BY(found_mutex_);  // what earlier processes left
};

}  // namespace cairn
