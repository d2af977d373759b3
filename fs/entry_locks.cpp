#include "fs/entry_locks.h"

#include <utility>

namespace cairn {

EntryLocks::Held& EntryLocks::Held::operator=(Held&& other) noexcept {
  release();
  locks_ = std::exchange(other.locks_, nullptr);
  id_ = other.id_;
  return *this;
}

void EntryLocks::Held::release() {
  if (locks_ != nullptr) std::exchange(locks_, nullptr)->give_back(id_);
}

Result<EntryLocks::Held> EntryLocks::acquire(EntryId id, const RequestContext& context) {
  std::unique_lock lock(mutex_);
  const bool free = freed_.wait_until(lock, context.stop, context.deadline, [&] { return !held_.contains(id); });
  if (!free) {
    if (auto going = context.check(); !going) return fail(std::move(going).error().in("another publication goes on"));
    return fail(Errc::deadline_exceeded, "another publication goes on");
  }
  held_.insert(id);
  return Held(this, id);
}

void EntryLocks::give_back(EntryId id) {
  {
    std::lock_guard lock(mutex_);
    held_.erase(id);
  }
  freed_.notify_all();
}

}  // namespace cairn
