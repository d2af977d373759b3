// mount -o remount.
#pragma once

#include "cli/mount_options.h"
#include "cli/mounts.h"
#include "cli/streams.h"

namespace cairn {

// Changes what the kernel checks of a mount (ro, rw, nosuid…) as `options` ask, the last word of each kind winning; the
// rest stays. Settings of the daemon cannot be changed so, and are passed over: mount(8) repeats those of fstab.
// Failures: not_found; read_only (rw of a mount whose daemon was started read-only); conflict (ro while files are open
// for writing); permission_denied.
Result<void> remount(const std::string& mountpoint, const MountOptions& options, const Streams& streams);

}  // namespace cairn
