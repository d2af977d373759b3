#include "base/wait.h"

namespace cairn {

Result<void> pause(std::chrono::nanoseconds duration, const RequestContext& context) {
  Mutex mutex;
  Condition nothing;
  MutexLock lock(mutex);
  nothing.wait_for(lock, context.stop, std::min(duration, context.remaining()), [] { return false; });
  return context.check();
}

}  // namespace cairn
