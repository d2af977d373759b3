// Who decides when a thread that waits goes on, and what time it is: the operating system, or a simulation.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/mutex.h"

namespace cairn {

using SteadyTime = std::chrono::steady_clock::time_point;

// The seam through which a test runs many hosts in one process, one thread at a time, in an order that a seed gives.
// Condition, Thread and the system's clock ask here first; nothing else in the product knows of it.
// Thread-safety: all methods may be called from any thread.
class Scheduler {
 public:
  // Names a thread from its creation to its end; 0 is nobody.
  using ThreadId = uint64_t;

  virtual ~Scheduler() = default;

  // nullptr: the operating system schedules, as in every process but a test's.
  [[nodiscard]] static Scheduler* simulation();
  // `simulation` outlives every thread and wait that begins while it is installed; nullptr takes it out again.
  static void install(Scheduler* simulation);

  [[nodiscard]] virtual SteadyTime now() = 0;

  // Waits, without `lock` meanwhile, until `holds` (called with the lock's mutex held), `stop` or `until`.
  virtual void wait(MutexLock& lock, const std::stop_token& stop, SteadyTime until,
                    const std::function<bool()>& holds) = 0;

  // The calling thread makes another one, which calls begin() first and end() last; join() waits for its end.
  [[nodiscard]] virtual ThreadId create(const std::string& name) = 0;
  virtual void begin(ThreadId thread) = 0;
  virtual void end(ThreadId thread) = 0;
  virtual void join(ThreadId thread) = 0;
};

}  // namespace cairn
