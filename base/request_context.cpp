#include "base/request_context.h"

#include <algorithm>

namespace cairn {

RequestContext RequestContext::within(std::chrono::nanoseconds timeout, Cause cause, std::stop_token stop) {
  return {system_clock().steady_now() + timeout, std::move(stop), cause};
}

RequestContext RequestContext::with_cause(Cause other) const { return {deadline, stop, other}; }

RequestContext RequestContext::no_longer_than(std::chrono::nanoseconds timeout) const {
  return {std::min(deadline, system_clock().steady_now() + timeout), stop, cause};
}

std::chrono::nanoseconds RequestContext::remaining() const {
  return std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(deadline - system_clock().steady_now()));
}

Result<void> RequestContext::check() const {
  if (stop.stop_requested()) return fail(Errc::cancelled, "interrupted");
  if (remaining().count() == 0) return fail(Errc::deadline_exceeded, "took longer than its deadline");
  return {};
}

}  // namespace cairn
