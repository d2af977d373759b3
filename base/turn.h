// A role that one thread at a time has, and that the others can stop waiting for.
#pragma once

#include <utility>

#include "base/request_context.h"
#include "base/wait.h"
#include "base/work_slots.h"

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
    const WithoutSlot waiting;
    MutexLock lock(mutex_);
    auto free = ended_.wait(lock, context, [this]() CAIRN_REQUIRES(mutex_) { return !taken_; });
    if (!free) return fail(free.error().in("wait for others to finish"));
    taken_ = true;
    return Held(this);
  }

 private:
  void end() {
    const MutexLock lock(mutex_);
    taken_ = false;
    ended_.notify_one();
  }

  Mutex mutex_;
  Condition ended_;
  bool taken_ CAIRN_GUARDED_BY(mutex_) = false;
};

}  // namespace cairn
