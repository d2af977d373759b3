// Time as an outside world: one interface, and the one clock of the system. Nothing else asks the system for the time.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/scheduler.h"

namespace cairn {

using Nanos = int64_t;  // nanoseconds since the Unix epoch, as mtime has them

// Thread-safety: all methods may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time, for mtimes and the history. May jump.
  [[nodiscard]] virtual Nanos wall_now() const = 0;
  // Never goes back; deadlines and intervals are measured on it.
  [[nodiscard]] virtual SteadyTime steady_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Nanos wall_now() const override;
  [[nodiscard]] SteadyTime steady_now() const override;
};

// The process's own SystemClock.
const Clock& system_clock();

}  // namespace cairn
