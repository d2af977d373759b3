// What every operation that may wait carries: until when, for whom, and why.
#pragma once

#include <chrono>
#include <stop_token>

#include "base/clock.h"
#include "base/result.h"

namespace cairn {

// Why a remote operation happens. Metrics are kept and limits are set by cause.
enum class Cause { demand, prefetch, write_back, maintenance };

// Deadlines are on the system's steady clock: they bound real waiting, so no fake clock moves them.
// Thread-safety: immutable; copy freely. The stop_token shares its state with the request's owner.
struct RequestContext {
  SteadyTime deadline;
  std::stop_token stop;
  Cause cause = Cause::demand;

  // A context that ends `timeout` from now.
  static RequestContext within(std::chrono::nanoseconds timeout, Cause cause = Cause::demand,
                               std::stop_token stop = {});

  [[nodiscard]] RequestContext with_cause(Cause other) const;
  // The same request, to be finished `timeout` from now or at its own deadline, whichever is first.
  [[nodiscard]] RequestContext no_longer_than(std::chrono::nanoseconds timeout) const;
  [[nodiscard]] std::chrono::nanoseconds remaining() const;
  // cancelled or deadline_exceeded once either holds; call it before each step that may wait.
  [[nodiscard]] Result<void> check() const;
};

}  // namespace cairn
