#include "fs/reach.h"

#include <algorithm>

#include "base/log.h"
#include "base/mutex.h"

namespace cairn {

namespace {

// After a question that the store left unanswered until its deadline, or that was repeated in vain for longer than
// kQuickAnswer, the next ones are not asked for kHangPause: an `ls` asks many, and each would wait as long.
constexpr std::chrono::nanoseconds kQuickAnswer = std::chrono::milliseconds(500);
constexpr std::chrono::nanoseconds kHangPause = std::chrono::seconds(5);

}  // namespace

bool Reach::is_hanging(EntryId directory) const {
  const SteadyTime now = clock_.steady_now();
  if (now >= none_hangs_from_.load()) return false;
  const MutexLock lock(mutex_);
  if (now < store_hangs_until_) return true;
  const auto found = hanging_.find(directory);
  return found != hanging_.end() && now < found->second;
}

void Reach::answered(EntryId directory, SteadyTime asked) {
  if (!away_.load(std::memory_order_relaxed)) return;
  const MutexLock lock(mutex_);
  if (!outage_ || asked <= last_unanswered_) return;  // asked before the store went away
  log::info("the store is in reach again, after {} s", (clock_.wall_now() - outage_->since) / 1'000'000'000);
  outage_.reset();
  away_ = false;
  silent_.reset();
  store_hangs_until_ = {};
  hanging_.erase(directory);
}

void Reach::unanswered(EntryId directory, SteadyTime asked, const Error& error) {
  const SteadyTime now = clock_.steady_now();
  const MutexLock lock(mutex_);
  if (error.code() == Errc::deadline_exceeded || now - asked > kQuickAnswer) leave_alone(directory, now + kHangPause);
  last_unanswered_ = std::max(last_unanswered_, asked);
  if (!outage_) {
    log::warning("the store is out of reach, directories are shown as last known: {}", error.to_string());
    outage_ = Outage{.since = clock_.wall_now(), .error = {}};
    away_ = true;
  }
  outage_->error = error.to_string();
}

void Reach::leave_alone(EntryId directory, SteadyTime until) {
  std::erase_if(hanging_, [now = until - kHangPause](const auto& other) { return other.second <= now; });
  hanging_[directory] = until;
  if (silent_.value_or(directory) != directory) store_hangs_until_ = until;
  silent_ = directory;
  none_hangs_from_ = until;
}

std::optional<Outage> Reach::outage() const {
  const MutexLock lock(mutex_);
  return outage_;
}

}  // namespace cairn
