// What df says of a mount.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fs/file_system.h"

namespace cairn {

// The room on the disks that a save needs: that of a `dir:` store, and that of the staging area. Asked once a second at
// most, by a thread of its own, since a disk that hangs must not hold up statfs: who asks gets what was last known.
//
// Thread-safety: all methods may be called from any thread.
// Failures: none; a disk that cannot be asked is left out, and before the first answer there is room for everything.
class DiskSpace {
 public:
  explicit DiskSpace(std::vector<std::string> directories);

  // Of the disk that has least.
  [[nodiscard]] FileSystemStatfs now() const;

 private:
  struct State;
  const std::shared_ptr<State> state_;  // shared with a thread that may hang
};

}  // namespace cairn
