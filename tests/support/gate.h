// A door in a test: whoever comes before it opens waits there. The way to fix an order without sleeping.
#pragma once

#include <cstddef>

#include "base/request_context.h"
#include "base/wait.h"

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
  Mutex mutex_;
  Condition changed_;
  size_t arrivals_ CAIRN_GUARDED_BY(mutex_) = 0;
  bool open_ CAIRN_GUARDED_BY(mutex_) = false;
};

}  // namespace cairn
