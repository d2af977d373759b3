// Which files are alive: written in place on this host, or seen to grow, not long ago.
#pragma once

#include <chrono>
#include <unordered_map>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread.
// Ownership: borrows the clock; remembers kMost files, those that live longest.
class LivingFiles {
 public:
  static constexpr size_t kMost = 1024;
  static constexpr std::chrono::minutes kAfterAChange{10};

  explicit LivingFiles(const Clock& clock) : clock_(clock) {}

  void note(EntryId file, std::chrono::nanoseconds lives_for = kAfterAChange);
  [[nodiscard]] bool contains(EntryId file) const;

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  std::unordered_map<EntryId, SteadyTime> until_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
