#include "cache/staging_room.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
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

// How many more staging files `user` gets.
size_t add_files(StagingRoom& room, uint32_t user) {
  size_t added = 0;
  while (added < 1000 && room.add_file(user)) ++added;
  return added;
}

TEST(StagingRoomUsers, one_user_gets_half_and_the_next_half_of_the_rest) {
  StagingRoom room(100, disk_with(kPlenty));
  const auto most_of_one = room.queue(50, 1000);
  EXPECT_TRUE(room.is_granted(most_of_one));
  const auto too_much = room.queue(1, 1000);
  EXPECT_FALSE(room.is_granted(too_much));
  const auto second = room.queue(25, 1001);
  EXPECT_TRUE(room.is_granted(second)) << "he waits behind one who waits for himself";
  EXPECT_TRUE(room.is_granted(room.queue(25, 0)));
}

TEST(StagingRoomUsers, the_daemons_own_user_may_have_all) {
  StagingRoom room(100, disk_with(kPlenty), 10, 1000);
  EXPECT_TRUE(room.is_granted(room.queue(100, 1000)));
  EXPECT_EQ(add_files(room, 1000), 1000U);
}

TEST(StagingRoomUsers, of_a_disk_one_user_gets_half_as_well) {
  uint64_t free_bytes = 1ULL << 30;
  StagingRoom room(0, disk_with(free_bytes));
  const auto first = room.queue(300ULL << 20, 1000);
  EXPECT_TRUE(room.is_granted(first));
  EXPECT_FALSE(room.is_granted(room.queue(300ULL << 20, 1000)));
  EXPECT_TRUE(room.is_granted(room.queue(300ULL << 20, 1001)));
}

TEST(StagingRoomUsers, who_is_at_his_bound_is_refused_with_EDQUOT_and_shown) {
  StagingRoom room(100, disk_with(kPlenty));
  room.recount({}, {.written = 20, .kept = 25}, 1000);
  const auto place = room.queue(10, 1000);
  EXPECT_EQ(room.users_at_their_bound().size(), 1U);
  EXPECT_EQ(room.insist(place).error().posix(), EDQUOT);
  const auto users = room.users_at_their_bound();
  ASSERT_EQ(users.size(), 1U);
  EXPECT_EQ(users[0].uid, 1000U);
  EXPECT_EQ(users[0].bytes, 45U);
  room.recount({.written = 20}, {}, 1000);
  EXPECT_TRUE(room.is_granted(place)) << "what he gives back is his";
  EXPECT_TRUE(room.users_at_their_bound().empty());
}

TEST(StagingRoomUsers, what_others_give_back_does_not_prolong_a_users_wait_for_himself) {
  StagingRoom room(100, disk_with(kPlenty));
  room.recount({}, {.kept = 45}, 1000);
  const auto place = room.queue(10, 1000);
  std::atomic<bool> is_over{false};
  auto waiting = std::async(std::launch::async, [&] {
    const auto waited = room.wait(place, {}, std::chrono::milliseconds(50));
    is_over = true;
    return waited;
  });
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!is_over && std::chrono::steady_clock::now() < give_up) {
    room.recount({}, {.written = 5}, 1001);
    room.recount({.written = 5}, {}, 1001);
  }
  EXPECT_TRUE(is_over);
  EXPECT_EQ(waiting.get().error().code(), Errc::no_space);
}

TEST(StagingRoomUsers, one_who_waits_for_himself_is_no_reason_for_others_to_give_back) {
  StagingRoom room(100, disk_with(kPlenty));
  room.recount({}, {.written = 40}, 1000);
  const auto place = room.queue(20, 1000);
  EXPECT_TRUE(room.is_short(1000));
  EXPECT_FALSE(room.is_short(1001));
  EXPECT_FALSE(room.is_short(0));
}

TEST(StagingRoomUsers, nothing_is_reserved_for_who_is_bounded) {
  StagingRoom room(100, disk_with(kPlenty));
  EXPECT_FALSE(room.may_reserve(1, 1000));
  EXPECT_TRUE(room.may_reserve(1, 0));
}

TEST(StagingRoomUsers, files_are_shared_like_bytes) {
  StagingRoom room(0, disk_with(kPlenty), 100);
  EXPECT_EQ(add_files(room, 1000), 50U);
  EXPECT_EQ(room.add_file(1000).error().posix(), EDQUOT);
  EXPECT_EQ(room.users_at_their_bound().size(), 1U);
  EXPECT_EQ(add_files(room, 1001), 25U);
  room.drop_file(1000);
  room.drop_file(1000);
  EXPECT_TRUE(room.add_file(1001)) << "what is given back is for all";
  EXPECT_TRUE(room.add_file(0));
}

TEST(StagingRoomUsers, what_was_found_at_start_counts_to_its_user_whatever_his_bound) {
  StagingRoom room(100, disk_with(kPlenty), 2);
  room.take_file(0);
  room.recount({}, {.kept = 80}, 0);
  room.move_file(0, 1000, {.kept = 80});
  EXPECT_FALSE(room.is_granted(room.queue(1, 1000)));
  EXPECT_EQ(room.add_file(1000).error().posix(), EDQUOT);
  EXPECT_TRUE(room.is_granted(room.queue(10, 1001)));
}

}  // namespace
}  // namespace cairn
