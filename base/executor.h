// A fixed set of threads that run tasks in order of arrival, urgent ones first.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "base/thread.h"
#include "base/wait.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread, tasks included; a task must not destroy its executor.
// Ownership: tasks own what they capture; the destructor runs what is queued and joins.
// Failures: a task must not throw.
class Executor {
 public:
  // `name` is that of each thread.
  Executor(const std::string& name, size_t threads);
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

  mutable Mutex mutex_;
  Condition wake_;
  std::deque<Task> urgent_ CAIRN_GUARDED_BY(mutex_);
  std::deque<Task> tasks_ CAIRN_GUARDED_BY(mutex_);
  bool stopping_ CAIRN_GUARDED_BY(mutex_) = false;
  std::vector<Thread> threads_;
};

}  // namespace cairn
