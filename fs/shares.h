// What all users of a mount share, and none may take from the others.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"

namespace cairn {

// A fixed number of equal things. Root and the daemon's own user may have all of them; any other user takes one only if
// afterwards he has no more than are free: one alone gets half, a second one half of the rest, and there is always some
// for who comes next.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: a Lease keeps a pointer to its shares, which must outlive it.
class Shares {
 public:
  // `what` ("open files") is for errors.
  Shares(std::string_view what, uint64_t most, uint32_t own_uid) : what_(what), most_(most), own_uid_(own_uid) {}

  // Move-only; gives the thing back when it goes.
  class Lease {
   public:
    Lease() = default;
    Lease(Shares* shares, uint32_t uid) : shares_(shares), uid_(uid) {}
    Lease(Lease&& other) noexcept { *this = std::move(other); }
    Lease& operator=(Lease&& other) noexcept {
      std::swap(shares_, other.shares_);
      std::swap(uid_, other.uid_);
      return *this;
    }
    ~Lease() {
      if (shares_ != nullptr) shares_->give_back(uid_);
    }

   private:
    Shares* shares_ = nullptr;
    uint32_t uid_ = 0;
  };

  // Failures: ENFILE.
  Result<Lease> take(uint32_t uid);

 private:
  void give_back(uint32_t uid);

  const std::string_view what_;
  const uint64_t most_;
  const uint32_t own_uid_;
  mutable Mutex mutex_;
  uint64_t taken_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::unordered_map<uint32_t, uint64_t> by_user_ CAIRN_GUARDED_BY(mutex_);  // none with 0
};

}  // namespace cairn
