// Taking a mount away.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/mounts.h"

namespace cairn {

enum class UnmountMode { orderly, lazy };

// umount2(2) for root, fusermount3 for others. Failures: conflict: it is in use (orderly only); permission_denied, io.
Result<void> unmount(const std::string& mountpoint, UnmountMode mode, bool superuser);

// Lets every process that waits for this mount go with an error (/sys/fs/fuse/connections/N/abort).
void abort_connection(const MountPoint& mount);

}  // namespace cairn
