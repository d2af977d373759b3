// A simulation: all threads of a test, one at a time, in an order that a seed gives, on a clock of its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/scheduler.h"

namespace cairn {

// Every Condition, Thread and reading of the system's clock in the process goes through here while this object lives:
// the same seed plays the same order. A thread runs until it waits; then the seed chooses among all threads whose
// condition holds, whose wait was stopped or whose time has come. When there is none, time jumps to the next one's.
// Notifications play no part, so a missing one goes unnoticed. Whoever waits while holding another mutex hangs.
//
// Thread-safety: made and destroyed by the test's own thread, which must be the only one by then.
class SeededScheduler final : public Scheduler {
 public:
  explicit SeededScheduler(uint64_t seed);
  ~SeededScheduler() override;
  SeededScheduler(const SeededScheduler&) = delete;
  SeededScheduler& operator=(const SeededScheduler&) = delete;

  // Another thread may go on here; `what` is written into the trace.
  void yield(std::string_view what);
  // What happened, in order: "committer 7", "get dirs/…".
  [[nodiscard]] const std::vector<std::string>& trace() const { return trace_; }

  SteadyTime now() override { return now_; }
  void wait(MutexLock& lock, const std::stop_token& stop, SteadyTime until,
            const std::function<bool()>& holds) override CAIRN_NO_THREAD_SAFETY_ANALYSIS;  // locks by reference
  ThreadId create(const std::string& name) override;
  void begin(ThreadId thread) override;
  void end(ThreadId thread) override;
  void join(ThreadId thread) override;

 private:
  struct SimulatedThread;

  void block(SimulatedThread& thread, MutexLock* lock, const std::stop_token& stop, SteadyTime until,
             const std::function<bool()>& holds);
  SimulatedThread& choose();
  void hand_over(SimulatedThread& next);
  void await_turn(ThreadId thread);
  // Takes the lock of who waits, by reference.
  [[nodiscard]] std::vector<SimulatedThread*> runnable() const CAIRN_NO_THREAD_SAFETY_ANALYSIS;
  [[nodiscard]] SimulatedThread& of(ThreadId thread) const;

  // All but `running_` belong to the one thread that runs.
  std::mt19937_64 random_;
  SteadyTime now_{std::chrono::hours(1)};
  std::vector<std::unique_ptr<SimulatedThread>> threads_;  // the first is the test's own; ids count from 1
  std::vector<std::string> trace_;

  std::mutex mutex_;  // of the operating system: orders `running_`, and with it what one thread hands to the next
  std::condition_variable turn_;
  ThreadId running_ = 1;
};

}  // namespace cairn
