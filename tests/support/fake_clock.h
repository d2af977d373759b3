// Time that a test moves by hand.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace cairn {

// Starts at 2026-01-01T00:00:00Z and stands still until advance().
// Thread-safety: all methods may be called from any thread.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] Nanos wall_now() const override { return kStart + passed_.load(); }
  [[nodiscard]] SteadyTime steady_now() const override {
    ++steady_readings_;
    return SteadyTime(std::chrono::hours(1) + std::chrono::nanoseconds(passed_.load()));
  }
  void advance(std::chrono::nanoseconds by) { passed_ += by.count(); }
  // How often steady_now() was asked: by this a test knows that other threads have come that far.
  [[nodiscard]] uint64_t steady_readings() const { return steady_readings_; }

 private:
  static constexpr Nanos kStart = 1'767'225'600'000'000'000;
  std::atomic<int64_t> passed_{0};
  mutable std::atomic<uint64_t> steady_readings_{0};
};

}  // namespace cairn
