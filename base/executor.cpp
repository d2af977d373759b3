#include "base/executor.h"

#include <pthread.h>

namespace cairn {

Executor::Executor(std::string name, size_t threads) {
  name.resize(std::min<size_t>(name.size(), 15));
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
    pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Executor::submit(Task task) { submit_to(tasks_, std::move(task)); }

void Executor::submit_urgent(Task task) { submit_to(urgent_, std::move(task)); }

void Executor::submit_to(std::deque<Task>& queue, Task task) {
  // Notified under the lock: once it is free the task may run, and with it the last reason to keep this executor.
  const std::lock_guard lock(mutex_);
  queue.push_back(std::move(task));
  wake_.notify_one();
}

size_t Executor::queued() const {
  const std::lock_guard lock(mutex_);
  return urgent_.size() + tasks_.size();
}

void Executor::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !urgent_.empty() || !tasks_.empty(); });
    std::deque<Task>& queue = urgent_.empty() ? tasks_ : urgent_;
    if (queue.empty()) return;  // stopping, and all that was queued has run
    Task task = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // what it captured goes before the lock is taken again
    lock.lock();
  }
}

}  // namespace cairn
