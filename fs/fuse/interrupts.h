// Signals to processes that wait for us.
#pragma once

#include <chrono>
#include <deque>
#include <stop_token>

#include "base/clock.h"
#include "base/thread.h"
#include "base/wait.h"

namespace cairn {

// The kernel tells us of every signal, also of those that a program hardly notices (a timer, a child that ended), and
// programs do not expect EINTR from stat or rename. So a request that was interrupted gets a little longer; if it
// still waits then, it is ended.
//
// Thread-safety: all methods may be called from any thread; neither blocks.
class Interrupts {
 public:
  explicit Interrupts(std::chrono::nanoseconds grace);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Stops `source` after the grace. It may have ended by then: nobody listens to it any more.
  void stop_later(std::stop_source source);

 private:
  struct Pending {
    SteadyTime due;
    std::stop_source source;
  };
  void run(const std::stop_token& ending);

  const std::chrono::nanoseconds grace_;
  Mutex mutex_;
  Condition changed_;
  std::deque<Pending> pending_ CAIRN_GUARDED_BY(mutex_);  // in order of `due`, as the grace is the same for all
  Thread thread_;                                         // last: it uses all of the above
};

}  // namespace cairn
