#include "base/executor.h"

#include "base/contained.h"
#include "base/log.h"

namespace cairn {

Executor::Executor(const std::string& name, size_t threads) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back(name, [this](const std::stop_token&) { run(); });
  }
}

Executor::~Executor() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (Thread& thread : threads_) thread.join();
}

// Both notify under the lock: once it is free the task may run, and with it the last reason to keep this executor.
void Executor::submit(Task task) {
  const MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_.notify_one();
}

void Executor::submit_urgent(Task task) {
  const MutexLock lock(mutex_);
  urgent_.push_back(std::move(task));
  wake_.notify_one();
}

size_t Executor::queued() const {
  const MutexLock lock(mutex_);
  return urgent_.size() + tasks_.size();
}

void Executor::run() {
  MutexLock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return stopping_ || !urgent_.empty() || !tasks_.empty(); });
    std::deque<Task>& queue = urgent_.empty() ? tasks_ : urgent_;
    if (queue.empty()) return;  // stopping, and all that was queued has run
    Task task = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    const auto done = contained([&task]() -> Result<void> {
      task();
      return {};
    });
    if (!done) log::error("a task: {}", done.error().message());
    task = nullptr;  // what it captured goes before the lock is taken again
    lock.lock();
  }
}

}  // namespace cairn
