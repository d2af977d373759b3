#include "remote/decorators/congestion_window.h"

#include <gtest/gtest.h>

#include <deque>

namespace cairn {

namespace {

// Requests that keep the window full, as many readers do.
class Load {
 public:
  explicit Load(CongestionWindow& window) : window_(window) { fill(); }
  void succeed() {
    window_.end_well(take());
    fill();
  }
  void fail() {
    window_.end_congested(take());
    fill();
  }

 private:
  void fill() {
    while (window_.has_room()) requests_.push_back(window_.begin());
  }
  uint64_t take() {
    const uint64_t oldest = requests_.front();
    requests_.pop_front();
    return oldest;
  }
  CongestionWindow& window_;
  std::deque<uint64_t> requests_;
};

}  // namespace

TEST(CongestionWindow, doubles_with_every_windows_worth_of_successes_at_first) {
  CongestionWindow window(64);
  Load load(window);
  EXPECT_EQ(window.size(), 8U);
  for (int i = 0; i < 8; ++i) load.succeed();
  EXPECT_EQ(window.size(), 16U);
  for (int i = 0; i < 1000; ++i) load.succeed();
  EXPECT_EQ(window.size(), 64U);
}

TEST(CongestionWindow, is_halved_once_for_all_requests_that_were_under_way) {
  CongestionWindow window(32);
  Load load(window);
  for (int i = 0; i < 100; ++i) load.succeed();
  ASSERT_EQ(window.size(), 32U);
  for (int i = 0; i < 16; ++i) load.fail();
  EXPECT_EQ(window.size(), 16U);
  for (int i = 0; i < 16; ++i) load.fail();
  EXPECT_EQ(window.size(), 16U);
  load.fail();
  EXPECT_EQ(window.size(), 8U);
}

TEST(CongestionWindow, widens_by_one_per_window_after_congestion) {
  CongestionWindow window(32);
  Load load(window);
  load.fail();
  ASSERT_EQ(window.size(), 4U);
  for (int i = 0; i < 7; ++i) load.succeed();  // those that were under way then
  for (int i = 0; i < 5; ++i) load.succeed();
  EXPECT_EQ(window.size(), 5U);
  for (int i = 0; i < 1000; ++i) load.succeed();
  EXPECT_EQ(window.size(), 32U);
}

TEST(CongestionWindow, never_closes) {
  CongestionWindow window(32);
  Load load(window);
  for (int i = 0; i < 1000; ++i) load.fail();
  EXPECT_EQ(window.size(), CongestionWindow::kLeast);
  CongestionWindow narrow(1);
  EXPECT_EQ(narrow.size(), 1U);
  narrow.end_congested(narrow.begin());
  EXPECT_EQ(narrow.size(), 1U);
}

TEST(CongestionWindow, does_not_widen_while_there_is_room) {
  CongestionWindow window(32);
  for (int i = 0; i < 100; ++i) window.end_well(window.begin());
  EXPECT_EQ(window.size(), CongestionWindow::kFirst);
}

}  // namespace cairn
