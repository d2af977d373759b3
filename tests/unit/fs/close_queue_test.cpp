// Who waits for whom, before the store has heard of anything.
#include "fs/close_queue.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr EntryId kOne = 11, kOther = 12;

uint64_t close_in(CloseQueue& queue, EntryId directory, uint64_t bytes = 1) {
  const uint64_t order = queue.enter(directory);
  queue.ready(order, order + 100, bytes);
  return order;
}

std::vector<uint64_t> orders(const std::vector<CloseQueue::Place>& run) {
  std::vector<uint64_t> found;
  for (const CloseQueue::Place& place : run) found.push_back(place.order);
  return found;
}

TEST(CloseQueue, a_run_is_what_is_first_and_of_one_directory) {
  CloseQueue queue({});
  EXPECT_TRUE(queue.next_run(9).empty());
  for (const EntryId directory : {kOne, kOne, kOther, kOne}) close_in(queue, directory);
  EXPECT_EQ(orders(queue.next_run(9)), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(orders(queue.next_run(1)), (std::vector<uint64_t>{1}));
  queue.leave(1);
  queue.leave(2);
  EXPECT_EQ(orders(queue.next_run(9)), (std::vector<uint64_t>{3}));
}

TEST(CloseQueue, nobody_passes_a_place_that_is_not_ready) {
  CloseQueue queue({});
  const uint64_t slow = queue.enter(kOne);
  close_in(queue, kOne);
  EXPECT_TRUE(queue.next_run(9).empty());
  queue.ready(slow, 1, 1);
  EXPECT_EQ(queue.next_run(9).size(), 2U);
}

TEST(CloseQueue, a_full_queue_makes_a_close_wait_and_says_why_it_waited_in_vain) {
  CloseQueue queue({.most_closes = 2});
  close_in(queue, kOne);
  EXPECT_TRUE(queue.wait_for_room(test_context()));
  const uint64_t last = close_in(queue, kOne);
  queue.failed(Error(Errc::unavailable, "the store is away"));
  const auto waited = queue.wait_for_room(RequestContext::within(std::chrono::milliseconds(1)));
  ASSERT_FALSE(waited);
  EXPECT_NE(waited.error().message().find("the store is away"), std::string::npos);
  std::jthread waiter([&] { EXPECT_TRUE(queue.wait_for_room(test_context())); });
  queue.leave(last);
}

TEST(CloseQueue, one_close_of_any_size_has_room_in_an_empty_queue) {
  CloseQueue queue({.most_bytes = 10});
  EXPECT_TRUE(queue.wait_for_room(test_context()));
  const uint64_t large = close_in(queue, kOne, 1000);
  EXPECT_FALSE(queue.wait_for_room(RequestContext::within(std::chrono::milliseconds(1))));
  queue.leave(large);
  EXPECT_TRUE(queue.wait_for_room(test_context()));
}

TEST(CloseQueue, who_waits_for_what_was_before_leaves_when_it_has_left_or_an_attempt_has_failed) {
  CloseQueue queue({.linger = std::chrono::hours(1), .first_pause = std::chrono::hours(1)});
  const uint64_t first = close_in(queue, kOne);
  {
    std::jthread waiter([&] { EXPECT_FALSE(queue.wait_until_past(test_context())); });
    EXPECT_TRUE(queue.wait_for_work(waiter.get_stop_token()));  // at once, and not in an hour
    queue.failed(Error(Errc::unavailable, "away"));
  }
  std::jthread waiter([&] { EXPECT_TRUE(queue.wait_until_past(test_context())); });
  EXPECT_TRUE(queue.wait_for_work(waiter.get_stop_token()));
  queue.leave(first);
}

TEST(CloseQueue, what_an_earlier_process_left_comes_in_its_old_order_and_before_what_is_new) {
  CloseQueue queue({});
  queue.enter_again({.order = 9, .directory = kOne, .draft = 1});
  queue.enter_again({.order = 4, .directory = kOne, .draft = 2});
  EXPECT_EQ(close_in(queue, kOne), 10U);
  EXPECT_EQ(orders(queue.next_run(9)), (std::vector<uint64_t>{4, 9, 10}));
}

}  // namespace
}  // namespace cairn
