#include "fs/living_files.h"

#include <algorithm>

namespace cairn {

void LivingFiles::note(EntryId file, std::chrono::nanoseconds lives_for) {
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  SteadyTime& until = until_[file];
  until = std::max(until, now + lives_for);
  if (until_.size() <= kMost) return;
  std::erase_if(until_, [&](const auto& living) { return living.second < now; });
  if (until_.size() <= kMost) return;
  until_.erase(std::ranges::min_element(until_, {}, [](const auto& living) { return living.second; }));
}

bool LivingFiles::contains(EntryId file) const {
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  const auto living = until_.find(file);
  return living != until_.end() && now <= living->second;
}

}  // namespace cairn
