// A role that one thread at a time has, and that the others can stop waiting for.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/request_context.h"

namespace cairn {

// Like a mutex that may be held over slow work, because waiting for it ends with the waiter's own context.
// Thread-safety: all methods may be called from any thread.
class Turn {
 public:
  // Move-only; ends the turn when it goes.
  class Held {
   public:
    Held() = default;
    explicit Held(Turn* turn) : turn_(turn) {}
    Held(Held&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
    Held& operator=(Held&& other) noexcept {
      std::swap(turn_, other.turn_);
      return *this;
    }
    ~Held() {
      if (turn_ != nullptr) turn_->end();
    }

   private:
    Turn* turn_ = nullptr;
  };

  // Failures: cancelled, deadline_exceeded.
  Result<Held> take(const RequestContext& context) {
    std::unique_lock lock(mutex_);
    const bool granted = ended_.wait_until(lock, context.stop, context.deadline, [this] { return !taken_; });
    if (granted) {
      taken_ = true;
      return Held(this);
    }
    if (context.stop.stop_requested()) return fail(Errc::cancelled, "interrupted");
    return fail(Errc::deadline_exceeded, "waited too long for others to finish");
  }

 private:
  void end() {
    const std::lock_guard lock(mutex_);
    taken_ = false;
    ended_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable_any ended_;
  bool taken_ = false;  // guarded by mutex_
};

}  // namespace cairn
