// When a request is let go although it has no answer yet, because whoever made it cannot use one.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "base/thread.h"
#include "base/wait.h"
#include "fs/fuse/callers.h"

namespace cairn {

// How long a request goes on for a caller who…
struct CallerPatience {
  std::chrono::nanoseconds between_looks{std::chrono::milliseconds(200)};
  std::chrono::nanoseconds exiting{std::chrono::seconds(60)};  // … exits by itself
  std::chrono::nanoseconds unseen{std::chrono::seconds(10)};   // … was signalled, and cannot be seen
};

// The kernel tells us of the first signal that reaches a waiting thread, also of those that a program hardly notices (a
// timer, a child that ended), and nothing of later ones; and programs do not expect EINTR from close, rename or stat.
// So whoever was signalled is looked at now and then for as long as its request lasts. The request ends when its caller
// is dying; when a signal came and the caller cannot be seen, after a while; and a read on ^C. A process that exits
// closes its files past the point where signals reach it, so its publications are followed without one.
//
// Thread-safety: all methods may be called from any thread; none blocks.
class Interrupts {
 public:
  Interrupts(const Callers& callers, CallerPatience patience);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Names a followed request; never 0.
  using Ticket = uint64_t;
  // From now on `request` is stopped when its caller no longer waits. `ends_on_ctrl_c`: reads.
  Ticket follow(pid_t caller, bool ends_on_ctrl_c, std::stop_source request);
  // Its caller got a signal. The request may have ended by then.
  void signalled(Ticket ticket);
  void forget(Ticket ticket);

  // For a request that was not begun yet: whether to begin it at all.
  [[nodiscard]] bool is_dying(pid_t caller) const { return callers_.look_at(caller) == CallerState::dying; }

 private:
  struct Followed {
    pid_t caller = 0;
    bool ends_on_ctrl_c = false;
    bool was_signalled = false;
    SteadyTime since{};  // the signal, or else the beginning
    std::stop_source request;
  };
  void run(const std::stop_token& ending);
  void look_at_all();
  [[nodiscard]] bool is_over(const Followed& followed, SteadyTime now) const;

  const Callers& callers_;
  const CallerPatience patience_;
  Mutex mutex_;
  Condition changed_;
  Ticket last_ticket_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::map<Ticket, Followed> followed_ CAIRN_GUARDED_BY(mutex_);
  Thread thread_;  // last: it uses all of the above
};

}  // namespace cairn
