#include "remote/decorators/congestion_window.h"

#include <algorithm>

namespace cairn {

CongestionWindow::CongestionWindow(size_t most)
    : most_(static_cast<double>(std::max<size_t>(most, 1))), size_(std::min(most_, static_cast<double>(kFirst))) {}

uint64_t CongestionWindow::begin() {
  ++under_way_;
  return next_request_++;
}

void CongestionWindow::end_well(uint64_t request) {
  const bool was_full = !has_room();
  --under_way_;
  if (!was_full || request < first_after_decrease_) return;
  size_ = std::min(most_, size_ + (slow_start_ ? 1.0 : 1.0 / size_));
}

void CongestionWindow::end_congested(uint64_t request) {
  --under_way_;
  if (request < first_after_decrease_) return;
  first_after_decrease_ = next_request_;
  slow_start_ = false;
  size_ = std::min(most_, std::max(static_cast<double>(kLeast), size_ / 2));
}

}  // namespace cairn
