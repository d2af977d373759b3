#include "tests/support/seeded_scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace cairn {

namespace {

thread_local Scheduler::ThreadId current_thread = 0;

}  // namespace

struct SeededScheduler::SimulatedThread {
  ThreadId id = 0;
  std::string name;
  bool ended = false;

  // What it waits for; `holds` nullptr: nothing, it has only not run yet.
  MutexLock* lock = nullptr;
  const std::function<bool()>* holds = nullptr;
  std::stop_token stop{};
  SteadyTime until{};
};

SeededScheduler::SeededScheduler(uint64_t seed) : random_(seed) {
  current_thread = create("test");
  install(this);
}

SeededScheduler::~SeededScheduler() {
  install(nullptr);
  current_thread = 0;
  check(std::all_of(threads_.begin() + 1, threads_.end(), [](const auto& thread) { return thread->ended; }),
        "a simulation outlives its threads");
}

SeededScheduler::SimulatedThread& SeededScheduler::of(ThreadId thread) const {
  check(thread != 0 && thread <= threads_.size(), "every thread of a simulation is a Thread");
  return *threads_[thread - 1];
}

void SeededScheduler::yield(std::string_view what) {
  trace_.emplace_back(what);
  static const std::function<bool()> kAtOnce = [] { return true; };
  block(of(current_thread), nullptr, {}, SteadyTime::max(), kAtOnce);
}

void SeededScheduler::wait(MutexLock& lock, const std::stop_token& stop, SteadyTime until,
                           const std::function<bool()>& holds) {
  if (holds() || stop.stop_requested() || now_ >= until) return;
  lock.unlock();
  block(of(current_thread), &lock, stop, until, holds);
  lock.lock();
}

void SeededScheduler::block(SimulatedThread& thread, MutexLock* lock, const std::stop_token& stop, SteadyTime until,
                            const std::function<bool()>& holds) {
  thread.lock = lock;
  thread.stop = stop;
  thread.until = until;
  thread.holds = &holds;
  SimulatedThread& next = choose();
  if (&next != &thread) {
    hand_over(next);
    await_turn(thread.id);
  }
  thread.holds = nullptr;
}

std::vector<SeededScheduler::SimulatedThread*> SeededScheduler::runnable() const {
  std::vector<SimulatedThread*> found;
  for (const auto& thread : threads_) {
    if (thread->ended) continue;
    bool runs = thread->holds == nullptr || thread->stop.stop_requested() || now_ >= thread->until;
    if (!runs) {
      // Nobody else runs, and who waits has given its lock back: it is free.
      if (thread->lock != nullptr) thread->lock->lock();
      runs = (*thread->holds)();
      if (thread->lock != nullptr) thread->lock->unlock();
    }
    if (runs) found.push_back(thread.get());
  }
  return found;
}

SeededScheduler::SimulatedThread& SeededScheduler::choose() {
  std::vector<SimulatedThread*> candidates = runnable();
  if (candidates.empty()) {
    SteadyTime next = SteadyTime::max();
    for (const auto& thread : threads_) {
      if (!thread->ended) next = std::min(next, thread->until);
    }
    check(next != SteadyTime::max(), "somebody in the simulation can go on");
    now_ = next;
    candidates = runnable();
  }
  SimulatedThread& chosen = *candidates[random_() % candidates.size()];
  trace_.push_back(fmt::format("{} {}", chosen.name, chosen.id));
  return chosen;
}

void SeededScheduler::hand_over(SimulatedThread& next) {
  const std::lock_guard lock(mutex_);
  running_ = next.id;
  turn_.notify_all();
}

void SeededScheduler::await_turn(ThreadId thread) {
  std::unique_lock lock(mutex_);
  turn_.wait(lock, [&] { return running_ == thread; });
}

Scheduler::ThreadId SeededScheduler::create(const std::string& name) {
  auto thread = std::make_unique<SimulatedThread>();
  thread->id = threads_.size() + 1;
  thread->name = name;
  threads_.push_back(std::move(thread));
  return threads_.size();
}

void SeededScheduler::begin(ThreadId thread) {
  current_thread = thread;
  await_turn(thread);
}

void SeededScheduler::end(ThreadId thread) {
  of(thread).ended = true;
  hand_over(choose());
}

void SeededScheduler::join(ThreadId thread) {
  const std::function<bool()> ended = [this, thread] { return of(thread).ended; };
  block(of(current_thread), nullptr, {}, SteadyTime::max(), ended);
}

}  // namespace cairn
