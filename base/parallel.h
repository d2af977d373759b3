// A loop whose turns are taken by several threads.
#pragma once

#include <cstddef>
#include <functional>

#include "base/executor.h"

namespace cairn {

// Calls work(0) … work(count - 1), each once, on this thread and on up to `helpers` threads of `executor`, and returns
// when all calls have returned. The caller does its share, so it makes progress even when every thread of the executor
// is busy, or is itself waiting in here. An exception of a call is thrown here once all others have returned.
void run_in_parallel(Executor& executor, size_t count, size_t helpers, const std::function<void(size_t)>& work);

}  // namespace cairn
