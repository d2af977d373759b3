#include "fs/fuse/interrupts.h"

#include <utility>

namespace cairn {

Interrupts::Interrupts(std::chrono::nanoseconds grace)
    : grace_(grace), thread_("interrupts", [this](const std::stop_token& ending) { run(ending); }) {}

Interrupts::~Interrupts() = default;

void Interrupts::stop_later(std::stop_source source) {
  {
    const MutexLock lock(mutex_);
    pending_.push_back({system_clock().steady_now() + grace_, std::move(source)});
  }
  changed_.notify_one();
}

void Interrupts::run(const std::stop_token& ending) {
  MutexLock lock(mutex_);
  while (changed_.wait(lock, ending, [this]() CAIRN_REQUIRES(mutex_) { return !pending_.empty(); }) &&
         !ending.stop_requested()) {
    const SteadyTime due = pending_.front().due;
    if (system_clock().steady_now() < due) {
      changed_.wait_until(lock, ending, due, [] { return false; });
      continue;
    }
    std::stop_source source = std::move(pending_.front().source);
    pending_.pop_front();
    lock.unlock();
    source.request_stop();
    lock.lock();
  }
}

}  // namespace cairn
