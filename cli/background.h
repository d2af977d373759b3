// A process that goes on alone, and a parent that waits until it knows how it went.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

#include "base/result.h"

namespace cairn {

// What the child runs: it calls `ready` when its work has begun, and returns when that is done.
using BackgroundWork = std::function<Result<void>(const std::function<void()>& ready)>;

// Forks. The child leads a session of its own in "/", with nothing on stdin and `output` (a file, appended to; or
// /dev/null) as stdout and stderr; it never returns from here. The parent gets the child's pid once `ready` was called,
// or the child's error. A child that says nothing for `timeout` is killed. Call it while the process has one thread.
Result<pid_t> start_in_background(const BackgroundWork& work, const std::string& output,
                                  std::chrono::nanoseconds timeout);

}  // namespace cairn
