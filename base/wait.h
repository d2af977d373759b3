// The one way to wait: for a condition, until a context ends.
#pragma once

#include <chrono>
#include <condition_variable>
#include <stop_token>

#include "base/mutex.h"
#include "base/request_context.h"
#include "base/scheduler.h"

namespace cairn {

// What waiting threads are woken by. `holds` is asked with the lock held, and says whether the wait is over:
//
//   MutexLock lock(mutex_);
//   if (auto free = freed_.wait(lock, context, [this]() CAIRN_REQUIRES(mutex_) { return !taken_; }); !free) return
//   free;
//
// Thread-safety: all methods may be called from any thread.
// Failures: cancelled, deadline_exceeded: the context ended before the condition held.
class Condition {
 public:
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

  template <class Holds>
  Result<void> wait(MutexLock& lock, const RequestContext& context, Holds holds) {
    if (wait_until(lock, context.stop, context.deadline, holds)) return {};
    if (auto ended = context.check(); !ended) return ended;
    return fail(Errc::deadline_exceeded, "took longer than its deadline");
  }

  // For work that has no context: a thread's own wait for something to do. Answers with `holds`.
  template <class Holds>
  bool wait_until(MutexLock& lock, const std::stop_token& stop, SteadyTime until,
                  Holds holds) CAIRN_NO_THREAD_SAFETY_ANALYSIS {  // `holds` is called with the lock held

    if (Scheduler* simulation = Scheduler::simulation()) {
      simulation->wait(lock, stop, until, holds);
      return holds();
    }
    return condition_.wait_until(lock, stop, until, holds);
  }
  template <class Holds>
  bool wait_for(MutexLock& lock, const std::stop_token& stop, std::chrono::nanoseconds duration, Holds holds) {
    return wait_until(lock, stop, system_clock().steady_now() + duration, holds);
  }
  // Without an end of its own: for what others are bound to bring about.
  template <class Holds>
  void wait(MutexLock& lock, Holds holds) {
    if (Scheduler* simulation = Scheduler::simulation()) return simulation->wait(lock, {}, SteadyTime::max(), holds);
    condition_.wait(lock, holds);
  }
  template <class Holds>
  bool wait(MutexLock& lock, const std::stop_token& stop, Holds holds) {
    if (Scheduler::simulation() != nullptr) return wait_until(lock, stop, SteadyTime::max(), holds);
    return condition_.wait(lock, stop, holds);
  }

 private:
  std::condition_variable_any condition_;
};

// Lets `duration` pass. Failures: those of the context, as soon as it ends.
Result<void> pause(std::chrono::nanoseconds duration, const RequestContext& context);

}  // namespace cairn
