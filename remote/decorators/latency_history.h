// How long requests of one kind took of late.
#pragma once

#include <array>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread.
class LatencyHistory {
 public:
  static constexpr size_t kRemembered = 64;
  static constexpr size_t kEnough = 16;

  void add(std::string_view kind, std::chrono::nanoseconds took);
  // The time that nine of ten remembered operations did not exceed; nullopt while there are fewer than kEnough.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> ninth_decile(std::string_view kind) const;

 private:
  struct Recent {
    std::array<std::chrono::nanoseconds, kRemembered> took{};
    size_t count = 0;  // of all; the last kRemembered are in `took`
  };
  mutable Mutex mutex_;
  std::map<std::string, Recent, std::less<>> kinds_ CAIRN_GUARDED_BY(mutex_);  // a handful: first names of keys
};

}  // namespace cairn
