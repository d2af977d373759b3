#include "tests/support/gate.h"

#include <chrono>

namespace cairn {

void Gate::open() {
  const MutexLock lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

Result<void> Gate::pass(const RequestContext& context) {
  MutexLock lock(mutex_);
  ++arrivals_;
  changed_.notify_all();
  auto passed = changed_.wait(lock, context, [this]() CAIRN_REQUIRES(mutex_) { return open_; });
  if (!passed) return fail(passed.error().in("at a gate"));
  return {};
}

bool Gate::wait_for_arrivals(size_t count) {
  MutexLock lock(mutex_);
  return changed_.wait_for(lock, {}, std::chrono::seconds(30),
                           [&]() CAIRN_REQUIRES(mutex_) { return arrivals_ >= count; });
}

}  // namespace cairn
