// Whether the store answers the requests that only look.
#pragma once

#include <atomic>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/mutex.h"
#include "fs/file_system_control.h"

namespace cairn {

// Says each outage once, and saves requests that only look from waiting for a hanging store again and again. It learns
// from their questions about directories: while nobody looks, an outage goes unnoticed, and so does its end.
// Thread-safety: all methods may be called from any thread.
class Reach {
 public:
  explicit Reach(const Clock& clock) : clock_(clock) {}

  // A request has just waited for the store in vain: asking again would only make another one wait.
  [[nodiscard]] bool is_hanging() const { return clock_.steady_now() < ask_again_.load(); }

  // A question put at `asked` was answered, or was left unanswered.
  void answered(SteadyTime asked);
  void unanswered(SteadyTime asked, const Error& error);

  [[nodiscard]] std::optional<Outage> outage() const;

 private:
  const Clock& clock_;
  std::atomic<SteadyTime> ask_again_{SteadyTime{}};
  std::atomic<bool> away_{false};  // outage_ has a value
  mutable Mutex mutex_;
  std::optional<Outage> outage_ CAIRN_GUARDED_BY(mutex_);
  SteadyTime last_unanswered_ CAIRN_GUARDED_BY(mutex_){};
};

}  // namespace cairn
