// How many requests an endpoint seems to like at once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cairn {

// Slow start, additive increase, multiplicative decrease, as TCP does it (RFC 5681, section 3.1): every success in a
// full window widens it by one until the first sign of congestion, and by one per window's worth of successes after it;
// a sign of congestion halves it, once for all requests that were under way then. Thread-safety: none.
class CongestionWindow {
 public:
  static constexpr size_t kFirst = 8;
  static constexpr size_t kLeast = 2;

  explicit CongestionWindow(size_t most);

  [[nodiscard]] size_t size() const { return static_cast<size_t>(size_); }
  [[nodiscard]] bool has_room() const { return under_way_ < size(); }
  [[nodiscard]] size_t under_way() const { return under_way_; }

  // Counts a request in. Its number goes to the end_… call for the same request.
  uint64_t begin();
  void end_well(uint64_t request);
  // A throttled, timed-out or refused request.
  void end_congested(uint64_t request);
  // Says nothing about the endpoint: not found, cancelled.
  void end_neutral() { --under_way_; }

 private:
  const double most_;
  double size_;
  size_t under_way_ = 0;
  bool slow_start_ = true;
  uint64_t next_request_ = 1;
  uint64_t first_after_decrease_ = 1;
};

}  // namespace cairn
