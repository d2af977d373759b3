// A fixed set of threads that run tasks in order of arrival, urgent ones first.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cairn {

// Thread-safety: all methods may be called from any thread, tasks included; a task must not destroy its executor.
// Ownership: tasks own what they capture; the destructor runs what is queued and joins.
// Failures: a task must not throw.
class Executor {
 public:
  // `name` (at most 15 bytes) is what top and gdb show for the threads.
  Executor(std::string name, size_t threads);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  using Task = std::function<void()>;
  // Queues `task`. The queue has no bound: callers bound what they submit (MemoryBudget, windows).
  void submit(Task task);
  // Queues `task` in front of all that submit() queued: for what a caller is waiting for.
  void submit_urgent(Task task);
  [[nodiscard]] size_t queued() const;

 private:
  void run();
  void submit_to(std::deque<Task>& queue, Task task);

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> urgent_;  // guarded by mutex_
  std::deque<Task> tasks_;   // guarded by mutex_
  bool stopping_ = false;    // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace cairn
