#include "tests/support/gate.h"

#include <chrono>

namespace cairn {

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

Result<void> Gate::pass(const RequestContext& context) {
  std::unique_lock lock(mutex_);
  ++arrivals_;
  changed_.notify_all();
  if (changed_.wait_until(lock, context.stop, context.deadline, [this] { return open_; })) return {};
  if (context.stop.stop_requested()) return fail(Errc::cancelled, "interrupted at a gate");
  return fail(Errc::deadline_exceeded, "the gate did not open in time");
}

bool Gate::wait_for_arrivals(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return arrivals_ >= count; });
}

}  // namespace cairn
