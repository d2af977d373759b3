// One process at a time for a local directory.
#pragma once

#include <string>

#include "base/result.h"
#include "cache/local_files.h"

namespace cairn {

// Holds `<directory>/lock` with flock(2) until it goes; the kernel lets go of it when the process dies, however it
// dies. The file has the holder's pid, for the message to a second process. Taken by each part of the cache directory
// for its own folder, so that parts can live together or apart; not inherited across fork().
class DirectoryLock {
 public:
  // Waits up to a second for a holder that is going. Failures: conflict ("cache directory '<shown_as>' is in use by pid
  // N: …"), permission_denied, no_space, io.
  static Result<DirectoryLock> take(const std::string& directory, const std::string& shown_as);

  // Somebody has removed the file, and with it what keeps others out: take it anew.
  [[nodiscard]] bool is_removed() const;

 private:
  explicit DirectoryLock(UniqueFd file) : file_(std::move(file)) {}

  UniqueFd file_;
};

}  // namespace cairn
