// The process behind a mount, from the first request to the last commit.
#pragma once

#include <functional>
#include <string>

#include "cli/wiring.h"
#include "fs/fuse/fuse_session.h"

namespace cairn {

// Everything that was decided before the daemon starts; all paths are absolute.
struct MountPlan {
  MountedStore::Options store;
  FuseSession::Options session;
  std::string control_socket;
  std::string log_file;  // "": stderr
};

// Serves the mount until it is unmounted or SIGTERM or SIGINT arrives; then publishes what is pending, for as long as
// shutdown-timeout allows, and keeps the rest for the next mount. A second signal ends the publishing. Calls `ready`
// once, when the mount is there: its requests are being served from then on, or very soon after.
//
// Call it while the process has one thread. Failures: those of the parts that cannot start; nothing is left behind
// then.
Result<void> serve_mount(const MountPlan& plan, const std::function<void()>& ready);

}  // namespace cairn
