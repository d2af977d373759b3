#include "daemon/predecessor.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/unique_fd.h"
#include "base/units.h"
#include "daemon/control.h"

namespace cairn {

namespace {

// The kernel needs a moment to end a process that was killed.
constexpr std::chrono::nanoseconds kNotWorthSaying = std::chrono::seconds(1);

bool has_ended(int process, std::chrono::nanoseconds patience) {
  pollfd ended{process, POLLIN, 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(patience).count();
  return ::poll(&ended, 1, static_cast<int>(std::min<int64_t>(ms, 1 << 30))) > 0;
}

}  // namespace

Result<void> await_predecessor(const std::string& control_socket, std::chrono::nanoseconds timeout,
                               const std::function<void(const std::string&)>& notice) {
  const Result<ControlCall> call = ControlCall::send(control_socket, {{"op", "await_end"}});
  if (!call) return {};  // nobody listens
  const pid_t pid = call->daemon_pid();
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return {};
  if (has_ended(process.get(), std::min(timeout, kNotWorthSaying))) return {};
  notice(fmt::format("waiting for the mount that was here before (pid {}) to publish what is left", pid));
  if (has_ended(process.get(), timeout)) return {};
  return fail(
      Errc::conflict,
      "the mount that was here before (pid {}) has not ended within {}: it publishes, or files are open in it, or "
      "it is none that ends, but another one that was begun at the same time",
      pid, human_duration(timeout));
}

}  // namespace cairn
