// Randomness as an outside world: the kernel's for production, a seeded one for tests.
#pragma once

#include <cstdint>
#include <random>

#include "base/mutex.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next_u64() = 0;
};

// getrandom(2): unpredictable and different on every host, as ids need.
class KernelRandom final : public Random {
 public:
  uint64_t next_u64() override;
};

// The process's own KernelRandom.
Random& kernel_random();

// Reproducible from its seed, which the test prints.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t next_u64() override;

 private:
  Mutex mutex_;
  std::mt19937_64 engine_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
