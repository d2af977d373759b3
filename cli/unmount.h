// Whether anybody is behind a mount, and taking it away.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "cli/mounts.h"

namespace cairn {

enum class MountHealth {
  answers,
  dead,    // its daemon has gone, and every call fails
  silent,  // no answer within the time given
  other,   // nothing is mounted there, or it may not be looked at
};

// Asks the mount itself, on a thread of its own: a mount that hangs cannot hang the caller.
MountHealth probe_mount(const std::string& mountpoint, std::chrono::nanoseconds timeout);

enum class UnmountMode { orderly, lazy };

// umount2(2) for root, fusermount3 for others. Failures: conflict: it is in use (orderly only); permission_denied, io.
Result<void> unmount(const std::string& mountpoint, UnmountMode mode, bool superuser);

// Lets every process that waits for this mount go with an error (/sys/fs/fuse/connections/N/abort, or umount2's
// MNT_FORCE).
void abort_connection(const MountPoint& mount);

}  // namespace cairn
