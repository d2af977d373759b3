#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"
#include "base/mutex.h"

namespace cairn {

uint64_t KernelRandom::next_u64() {
  uint64_t value = 0;
  check(getrandom(&value, sizeof value, 0) == sizeof value, "getrandom(2) gives eight bytes once the pool is ready");
  return value;
}

Random& kernel_random() {
  static KernelRandom random;
  return random;
}

uint64_t SeededRandom::next_u64() {
  const MutexLock lock(mutex_);
  return engine_();
}

}  // namespace cairn
