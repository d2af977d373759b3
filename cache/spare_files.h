// Files that are done with, and are taken again in place of new ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/unique_fd.h"

namespace cairn {

// Where thousands of small files a minute are made and removed, finding an inode that was not removed a moment ago
// becomes the most expensive part (ext4 without a journal looks at each of those).
//
// Thread-safety: all methods may be called from any thread.
// Ownership: the spares, `<directory>/spare.<n>`; the destructor removes them, the constructor those of a dead process.
// Failures: none; a file that cannot be renamed is removed, or made anew by the caller.
class SpareFiles {
 public:
  explicit SpareFiles(std::string directory);
  ~SpareFiles();
  SpareFiles(const SpareFiles&) = delete;
  SpareFiles& operator=(const SpareFiles&) = delete;

  // The file at `path` is done with; there may be none.
  void give(const std::string& path);
  // An empty file, at `path` from now on, open for reading and writing. nullopt: there is no spare.
  std::optional<UniqueFd> take(const std::string& path);

 private:
  [[nodiscard]] std::string path_of(uint64_t spare) const;

  const std::string directory_;
  Mutex mutex_;  // held over renames
  std::vector<uint64_t> spares_ CAIRN_GUARDED_BY(mutex_);
  uint64_t next_ CAIRN_GUARDED_BY(mutex_) = 1;
};

}  // namespace cairn
