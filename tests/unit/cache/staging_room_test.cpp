#include "cache/staging_room.h"

#include <gtest/gtest.h>

#include <future>

namespace cairn {
namespace {

constexpr uint64_t kPlenty = 1ULL << 40;
constexpr std::chrono::seconds kPatience{30};

StagingRoom::FreeOnDisk disk_with(const uint64_t& free_bytes) {
  return [&free_bytes] { return free_bytes; };
}

TEST(StagingRoomTest, bytes_within_the_limit_are_granted_at_once) {
  StagingRoom room(100, disk_with(kPlenty));
  const auto first = room.queue(60);
  EXPECT_TRUE(room.is_granted(first));
  const auto second = room.queue(60);
  EXPECT_FALSE(room.is_granted(second));
}

TEST(StagingRoomTest, what_a_place_was_promised_goes_with_it) {
  StagingRoom room(100, disk_with(kPlenty));
  auto first = room.queue(60);
  const auto second = room.queue(60);
  first = {};
  EXPECT_TRUE(room.is_granted(second));
}

TEST(StagingRoomTest, who_came_first_gets_the_room_that_others_give_back) {
  StagingRoom room(100, disk_with(kPlenty));
  room.recount({}, {.written = 100});
  const auto first = room.queue(50);
  const auto second = room.queue(10);
  room.recount({.written = 100}, {.written = 60});
  EXPECT_FALSE(room.is_granted(first));
  EXPECT_FALSE(room.is_granted(second)) << "a small request overtook a large one";
  room.recount({.written = 60}, {.written = 50});
  EXPECT_TRUE(room.is_granted(first));
  EXPECT_FALSE(room.is_granted(second));
}

TEST(StagingRoomTest, a_wait_ends_with_the_grant) {
  StagingRoom room(100, disk_with(kPlenty));
  room.recount({}, {.written = 100});
  const auto place = room.queue(50);
  auto waiting = std::async(std::launch::async, [&] { return room.wait(place, {}, kPatience); });
  room.recount({.written = 100}, {.written = 10});
  EXPECT_TRUE(waiting.get());
}

TEST(StagingRoomTest, a_wait_ends_when_nobody_gives_anything_back_or_nobody_waits) {
  StagingRoom room(100, disk_with(kPlenty));
  room.recount({}, {.kept = 100});
  const auto place = room.queue(50);
  EXPECT_EQ(room.wait(place, {}, std::chrono::milliseconds(1)).error().code(), Errc::no_space);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(room.wait(place, stop.get_token(), kPatience).error().code(), Errc::cancelled);
}

TEST(StagingRoomTest, a_short_disk_is_a_reason_to_wait_but_not_to_refuse) {
  uint64_t free_bytes = 0;
  StagingRoom room(0, disk_with(free_bytes));
  const auto place = room.queue(50);
  EXPECT_FALSE(room.is_granted(place));
  EXPECT_TRUE(room.insist(place));
  EXPECT_TRUE(room.is_granted(place));
}

TEST(StagingRoomTest, nobody_insists_on_more_than_the_limit) {
  StagingRoom room(100, disk_with(kPlenty));
  room.recount({}, {.written = 60, .kept = 30});
  EXPECT_FALSE(room.insist(room.queue(20)));
  EXPECT_TRUE(room.insist(room.queue(10)));
}

TEST(StagingRoomTest, it_is_short_when_more_than_half_is_taken_or_somebody_waits) {
  uint64_t free_bytes = 1000;
  StagingRoom room(0, disk_with(free_bytes));
  room.recount({}, {.written = 900});
  EXPECT_FALSE(room.is_short());
  room.recount({.written = 900}, {.written = 900, .kept = 200});
  EXPECT_TRUE(room.is_short());
  room.recount({.written = 900, .kept = 200}, {});
  free_bytes = 0;
  const auto place = room.queue(500);
  EXPECT_TRUE(room.is_short());
}

TEST(StagingRoomTest, a_shortage_is_news_once_until_there_was_room) {
  StagingRoom room(100, disk_with(kPlenty));
  EXPECT_TRUE(room.is_news());
  EXPECT_FALSE(room.is_news());
  const auto place = room.queue(1);
  EXPECT_TRUE(room.is_news());
}

}  // namespace
}  // namespace cairn
