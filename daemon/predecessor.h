// The daemon that served a mountpoint before.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"

namespace cairn {

// umount(8) returns when the name is free, while the daemon still publishes and has the cache directory. Where nothing
// is mounted, whoever listens at the mountpoint's control socket is that daemon: it is waited for, and `notice` told
// so. Failures: deadline_exceeded, naming it: files are still open after a lazy unmount, or the store does not answer.
Result<void> await_predecessor(const std::string& control_socket, std::chrono::nanoseconds timeout,
                               const std::function<void(const std::string&)>& notice);

}  // namespace cairn
