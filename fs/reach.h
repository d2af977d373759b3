// Whether the store answers the requests that only look.
#pragma once

#include <atomic>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "fs/file_system_control.h"

namespace cairn {

// Says each outage once, and keeps those who look from waiting again and again for a directory that does not answer.
// One such directory says nothing of the others; with a second one, and no answer of any in between, the store as a
// whole counts as hanging. What this knows comes from directories that were asked for: while nobody looks, an outage
// goes unnoticed, and so does its end. Thread-safety: all methods may be called from any thread.
class Reach {
 public:
  explicit Reach(const Clock& clock) : clock_(clock) {}

  // The directory, or the store, has kept somebody waiting in vain just now: asking again would only make another one
  // wait.
  [[nodiscard]] bool is_hanging(EntryId directory) const;

  // A question put at `asked` was answered, or was left unanswered.
  void answered(EntryId directory, SteadyTime asked);
  void unanswered(EntryId directory, SteadyTime asked, const Error& error);

  [[nodiscard]] std::optional<Outage> outage() const;

 private:
  void leave_alone(EntryId directory, SteadyTime until) CAIRN_REQUIRES(mutex_);

  const Clock& clock_;
  std::atomic<SteadyTime> none_hangs_from_{SteadyTime{}};  // on
  std::atomic<bool> away_{false};                          // outage_ has a value
  mutable Mutex mutex_;
  // When to ask which directory again.
  std::unordered_map<EntryId, SteadyTime> hanging_ CAIRN_GUARDED_BY(mutex_);
  std::optional<EntryId> silent_ CAIRN_GUARDED_BY(mutex_);   // kept somebody waiting since the last answer of any
  SteadyTime store_hangs_until_ CAIRN_GUARDED_BY(mutex_){};  // since another one did as well
  std::optional<Outage> outage_ CAIRN_GUARDED_BY(mutex_);
  SteadyTime last_unanswered_ CAIRN_GUARDED_BY(mutex_){};
};

}  // namespace cairn
