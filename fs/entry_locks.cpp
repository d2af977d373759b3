#include "fs/entry_locks.h"

#include <utility>

#include "base/work_slots.h"

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
  const WithoutSlot waiting;
  MutexLock lock(mutex_);
  auto free = freed_.wait(lock, context, [&]() CAIRN_REQUIRES(mutex_) { return !held_.contains(id); });
  if (!free) return fail(free.error().in("another publication goes on"));
  held_.insert(id);
  return Held(this, id);
}

void EntryLocks::give_back(EntryId id) {
  {
    MutexLock lock(mutex_);
    held_.erase(id);
  }
  freed_.notify_all();
}

}  // namespace cairn
