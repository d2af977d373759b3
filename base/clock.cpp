#include "base/clock.h"

namespace cairn {

Nanos SystemClock::wall_now() const {
  if (Scheduler* simulation = Scheduler::simulation()) return simulation->now().time_since_epoch().count();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

SteadyTime SystemClock::steady_now() const {
  if (Scheduler* simulation = Scheduler::simulation()) return simulation->now();
  return std::chrono::steady_clock::now();
}

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace cairn
