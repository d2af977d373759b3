#include "store/chunks/resident_chunks.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

ChunkId id_of(int number) {
  ChunkId id;
  id.bytes[0] = static_cast<std::byte>(number);
  return id;
}

SharedBuffer hundred_bytes() { return std::make_shared<const Buffer>(100); }

class ResidentChunksTest : public testing::Test {
 protected:
  void keep(int number, bool unread = false) { kept_.keep(id_of(number), hundred_bytes(), unread, now_, dropped_); }
  bool has(int number) const { return kept_.find(id_of(number)) != nullptr; }

  SteadyTime now_{std::chrono::seconds(100)};
  ResidentChunks kept_{300};
  ResidentChunks::Dropped dropped_;
};

TEST_F(ResidentChunksTest, with_too_many_the_least_recently_used_of_those_read_to_their_end_goes) {
  for (const int number : {1, 2, 3}) keep(number);
  for (const int number : {2, 1}) kept_.use(id_of(number), 100);
  keep(4);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_EQ(dropped_.size(), 1U);
}

TEST_F(ResidentChunksTest, nothing_that_will_be_read_on_goes_for_one_more) {
  for (const int number : {1, 2, 3, 4}) keep(number, number % 2 == 0);
  EXPECT_TRUE(dropped_.empty());
}

TEST_F(ResidentChunksTest, unread_chunks_outlive_read_ones) {
  keep(1, true);
  keep(2);
  keep(3);
  kept_.make_room(150, dropped_);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_FALSE(has(3));
}

TEST_F(ResidentChunksTest, a_chunk_is_unread_until_it_is_used) {
  keep(1, true);
  EXPECT_EQ(kept_.unread_bytes(), 100U);
  kept_.use(id_of(1), 1);
  EXPECT_EQ(kept_.unread_bytes(), 0U);
}

TEST_F(ResidentChunksTest, a_chunk_that_was_delivered_elsewhere_waits_for_its_reader_all_the_same) {
  keep(1, true);
  kept_.delivered(id_of(1), 90);
  EXPECT_EQ(kept_.unread_bytes(), 100U);
  keep(2);
  kept_.use(id_of(1), 10);
  kept_.make_room(1, dropped_);
  EXPECT_FALSE(has(1));  // read to its end now
  EXPECT_TRUE(has(2));
}

TEST_F(ResidentChunksTest, a_reader_who_does_not_come_is_given_up) {
  keep(1, true);
  now_ += std::chrono::seconds(10);
  keep(2, true);
  kept_.give_up_unread(now_);
  EXPECT_EQ(kept_.unread_bytes(), 100U);
  kept_.make_room_for_prefetch(1, dropped_);
  EXPECT_FALSE(has(1));
  EXPECT_TRUE(has(2));
}

TEST_F(ResidentChunksTest, what_was_read_to_its_end_goes_before_what_is_being_read) {
  for (const int number : {1, 2, 3}) keep(number);
  kept_.use(id_of(3), 60);
  kept_.use(id_of(1), 99);
  kept_.use(id_of(3), 60);
  kept_.make_room(1, dropped_);
  EXPECT_FALSE(has(3));
  kept_.make_room(1, dropped_);
  EXPECT_FALSE(has(2));
  EXPECT_TRUE(has(1));
}

TEST_F(ResidentChunksTest, prefetch_gets_no_room_from_its_like_nor_from_a_fair_share_of_what_is_being_read) {
  keep(1, true);
  for (const int number : {2, 3, 4, 5, 6}) keep(number);
  kept_.use(id_of(6), 100);
  kept_.make_room_for_prefetch(1000, dropped_);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(6));
  EXPECT_FALSE(has(2));
  for (const int number : {3, 4, 5}) EXPECT_TRUE(has(number)) << number;
}

TEST_F(ResidentChunksTest, a_chunk_that_somebody_holds_goes_after_those_that_nobody_does) {
  keep(1);
  SharedBuffer held = kept_.find(id_of(1));
  keep(2);
  kept_.make_room(100, dropped_);
  EXPECT_TRUE(dropped_.size() == 1 && has(1));
  EXPECT_FALSE(has(2));
  kept_.make_room(100, dropped_);
  EXPECT_EQ(dropped_.size(), 2U);
}

TEST_F(ResidentChunksTest, a_dropped_chunk_is_found_for_as_long_as_somebody_holds_it) {
  keep(1);
  SharedBuffer held = kept_.find(id_of(1));
  kept_.make_room(100, dropped_);
  dropped_.clear();
  EXPECT_EQ(kept_.use(id_of(1), 10), held);
  held = nullptr;
  EXPECT_FALSE(has(1));
}

TEST_F(ResidentChunksTest, a_finished_chunk_goes_before_those_that_are_read) {
  for (const int number : {1, 2}) keep(number);
  keep(3, true);
  kept_.finish(id_of(3));
  EXPECT_EQ(kept_.unread_bytes(), 0U);
  keep(4);
  EXPECT_FALSE(has(3));
  EXPECT_TRUE(has(1) && has(2));
}

TEST_F(ResidentChunksTest, dropping_all_leaves_nothing_and_frees_nothing_under_the_owners_lock) {
  keep(1);
  keep(2, true);
  kept_.drop_all(dropped_);
  EXPECT_FALSE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_EQ(kept_.unread_bytes(), 0U);
  EXPECT_EQ(dropped_.size(), 2U);
}

}  // namespace
}  // namespace cairn
