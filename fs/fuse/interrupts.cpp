#include "fs/fuse/interrupts.h"

#include <utility>

namespace cairn {

Interrupts::Interrupts(const Callers& callers, CallerPatience patience)
    : callers_(callers),
      patience_(patience),
      thread_("interrupts", [this](const std::stop_token& ending) { run(ending); }) {}

Interrupts::~Interrupts() = default;

Interrupts::Ticket Interrupts::follow(pid_t caller, bool ends_on_ctrl_c, std::stop_source request) {
  Followed followed{.caller = caller,
                    .ends_on_ctrl_c = ends_on_ctrl_c,
                    .since = system_clock().steady_now(),
                    .request = std::move(request)};
  const MutexLock lock(mutex_);
  followed_.emplace(++last_ticket_, std::move(followed));
  if (followed_.size() == 1) changed_.notify_one();
  return last_ticket_;
}

void Interrupts::signalled(Ticket ticket) {
  const MutexLock lock(mutex_);
  const auto found = followed_.find(ticket);
  if (found == followed_.end() || found->second.was_signalled) return;
  found->second.was_signalled = true;
  found->second.since = system_clock().steady_now();
}

void Interrupts::forget(Ticket ticket) {
  const MutexLock lock(mutex_);
  followed_.erase(ticket);
}

void Interrupts::run(const std::stop_token& ending) {
  MutexLock lock(mutex_);
  while (changed_.wait(lock, ending, [this]() CAIRN_REQUIRES(mutex_) { return !followed_.empty(); })) {
    changed_.wait_for(lock, ending, patience_.between_looks, [] { return false; });
    if (ending.stop_requested()) return;
    lock.unlock();
    look_at_all();
    lock.lock();
  }
}

void Interrupts::look_at_all() {
  std::vector<std::pair<Ticket, Followed>> all;
  {
    const MutexLock lock(mutex_);
    all.assign(followed_.begin(), followed_.end());
  }
  const SteadyTime now = system_clock().steady_now();
  for (auto& [ticket, followed] : all) {
    if (!is_over(followed, now)) continue;
    forget(ticket);
    followed.request.request_stop();
  }
}

bool Interrupts::is_over(const Followed& followed, SteadyTime now) const {
  const auto waited = now - followed.since;
  if (waited < patience_.between_looks) return false;  // most requests end soon by themselves
  switch (callers_.look_at(followed.caller)) {
    case CallerState::dying: return true;
    case CallerState::exiting: return waited >= patience_.exiting;
    case CallerState::unseen: return followed.was_signalled && waited >= patience_.unseen;
    case CallerState::interrupted: return followed.ends_on_ctrl_c;
    case CallerState::alive: return false;
  }
  return false;
}

}  // namespace cairn
