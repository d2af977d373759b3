#include "fs/refusals.h"

namespace cairn {

bool Refusals::refuse(uint32_t thread, const NodePlace& place) {
  if (thread == 0) return false;
  Where where{place.parent ? place.parent->ino : 0, place.name};
  const MutexLock lock(mutex_);
  if (const auto before = refused_.extract(thread); before && before.mapped() == where) return false;
  if (refused_.size() >= kMaxThreads) refused_.clear();
  refused_.emplace(thread, std::move(where));
  return true;
}

void Refusals::served(uint32_t thread) {
  if (thread == 0) return;
  const MutexLock lock(mutex_);
  refused_.erase(thread);
}

}  // namespace cairn
