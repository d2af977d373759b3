#include "base/parallel.h"

#include <algorithm>
#include <exception>
#include <memory>

#include "base/wait.h"

namespace cairn {

namespace {

// Shared with helpers that may start after the loop has ended: they then find no index left and touch no `work`.
class Loop {
 public:
  Loop(size_t count, const std::function<void(size_t)>& work) : count_(count), work_(work) {}

  void take_part() {
    MutexLock lock(mutex_);
    while (next_ < count_) {
      const size_t index = next_++;
      lock.unlock();
      std::exception_ptr thrown;
      try {
        work_(index);
      } catch (const std::exception&) {
        thrown = std::current_exception();
      }
      lock.lock();
      if (thrown) thrown_ = thrown;
      if (++done_ == count_) all_done_.notify_all();
    }
  }

  void wait() {
    MutexLock lock(mutex_);
    all_done_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return done_ == count_; });
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  const size_t count_;
  const std::function<void(size_t)>& work_;
  Mutex mutex_;
  Condition all_done_;
  size_t next_ CAIRN_GUARDED_BY(mutex_) = 0;
  size_t done_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::exception_ptr thrown_ CAIRN_GUARDED_BY(mutex_);  // the last one
};

}  // namespace

void run_in_parallel(Executor& executor, size_t count, size_t helpers, const std::function<void(size_t)>& work) {
  const auto loop = std::make_shared<Loop>(count, work);
  const size_t useful = count == 0 ? 0 : std::min(helpers, count - 1);
  for (size_t i = 0; i < useful; ++i) executor.submit_urgent([loop] { loop->take_part(); });
  loop->take_part();
  loop->wait();
}

}  // namespace cairn
