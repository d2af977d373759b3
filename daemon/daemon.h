// The process behind a mount, from opening the store to the last commit.
#pragma once

#include <functional>
#include <string>

#include "daemon/mount_plan.h"

namespace cairn {

// The command that started the daemon, and waits until it serves.
class MountWatcher {
 public:
  virtual ~MountWatcher() = default;
  // For a person: something is not as it was asked for.
  virtual void notice(const std::string& text) = 0;
  // The plan is made; from now on the log is plan.log_file.
  virtual void planned(const MountPlan& plan) = 0;
  // The mount is there: its requests are being served from now on, or very soon.
  virtual void ready(const MountPlan& plan) = 0;
};

// Makes the plan and serves the mount until it is unmounted or SIGTERM or SIGINT arrives; then publishes what is
// pending, for as long as shutdown-timeout allows, and keeps the rest for the next mount. A second signal ends the
// publishing.
//
// Call it while the process has one thread. Failures: those of the plan and of the parts that cannot start; nothing is
// left behind then.
Result<void> serve_mount(const MountRequest& request, const HostEnvironment& host, MountWatcher& watcher);

}  // namespace cairn
