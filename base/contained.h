// Exceptions end here: libraries throw them, and so does memory that is not there.
#pragma once

#include <exception>

#include "base/result.h"

namespace cairn {

// What `work()` returns, a Result; an exception that leaves it is an Error: io. For the roots of threads and of tasks,
// where others wait for an answer and nobody is left to catch anything.
template <class Work>
auto contained(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& thrown) {
    return fail(Errc::io, "unexpected exception: {}", thrown.what());
  }
}

}  // namespace cairn
