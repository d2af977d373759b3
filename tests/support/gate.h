// A door in a test: whoever comes before it opens waits there. The way to fix an order without sleeping.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "base/request_context.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread.
class Gate {
 public:
  // Lets everybody through, now and later.
  void open();
  // Waits for open(). Failures: cancelled, deadline_exceeded.
  Result<void> pass(const RequestContext& context);
  // Waits until `count` calls of pass() have begun since the start; false if that takes longer than 30 s.
  [[nodiscard]] bool wait_for_arrivals(size_t count);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  size_t arrivals_ = 0;  // guarded by mutex_
  bool open_ = false;    // guarded by mutex_
};

}  // namespace cairn
