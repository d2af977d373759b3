#include "remote/decorators/latency_history.h"

#include <algorithm>

namespace cairn {

void LatencyHistory::add(std::string_view kind, std::chrono::nanoseconds took) {
  const MutexLock lock(mutex_);
  auto found = kinds_.find(kind);
  if (found == kinds_.end()) found = kinds_.emplace(kind, Recent{}).first;
  Recent& recent = found->second;
  recent.took[recent.count++ % kRemembered] = took;
}

std::optional<std::chrono::nanoseconds> LatencyHistory::ninth_decile(std::string_view kind) const {
  std::array<std::chrono::nanoseconds, kRemembered> sorted;
  size_t count = 0;
  {
    const MutexLock lock(mutex_);
    const auto found = kinds_.find(kind);
    if (found == kinds_.end() || found->second.count < kEnough) return std::nullopt;
    sorted = found->second.took;
    count = std::min(found->second.count, kRemembered);
  }
  const auto decile = sorted.begin() + static_cast<std::ptrdiff_t>(count * 9 / 10);
  std::nth_element(sorted.begin(), decile, sorted.begin() + static_cast<std::ptrdiff_t>(count));
  return *decile;
}

}  // namespace cairn
