#include "store/kept_chunks.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

ChunkId id_of(int number) {
  ChunkId id;
  id.bytes[0] = static_cast<std::byte>(number);
  return id;
}

SharedBuffer hundred_bytes() { return std::make_shared<const Buffer>(100); }

class KeptChunksTest : public testing::Test {
 protected:
  void keep(int number, bool unread = false) { kept_.keep(id_of(number), hundred_bytes(), unread, dropped_); }
  bool has(int number) const { return kept_.find(id_of(number)) != nullptr; }

  KeptChunks kept_{300};
  KeptChunks::Dropped dropped_;
};

TEST_F(KeptChunksTest, the_least_recently_used_goes_when_there_are_too_many) {
  for (const int number : {1, 2, 3}) keep(number);
  kept_.use(id_of(1));
  keep(4);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_EQ(dropped_.size(), 1U);
}

TEST_F(KeptChunksTest, unread_chunks_outlive_read_ones) {
  keep(1, true);
  keep(2);
  keep(3);
  kept_.make_room(150, dropped_);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_FALSE(has(3));
}

TEST_F(KeptChunksTest, a_chunk_is_unread_until_it_is_used) {
  keep(1, true);
  EXPECT_EQ(kept_.unread_bytes(), 100U);
  kept_.use(id_of(1));
  EXPECT_EQ(kept_.unread_bytes(), 0U);
}

TEST_F(KeptChunksTest, room_is_made_among_the_read_first_and_then_among_the_unread) {
  keep(1, true);
  keep(2);
  kept_.make_room_among_read(1000, dropped_);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  kept_.make_room(1, dropped_);
  EXPECT_FALSE(has(1));
}

TEST_F(KeptChunksTest, a_chunk_that_somebody_holds_does_not_count_as_room) {
  keep(1);
  const SharedBuffer held = kept_.find(id_of(1));
  keep(2);
  kept_.make_room(100, dropped_);
  EXPECT_FALSE(has(1));
  EXPECT_FALSE(has(2));
}

TEST_F(KeptChunksTest, dropping_one_leaves_the_others) {
  keep(1);
  keep(2, true);
  kept_.drop(id_of(2), dropped_);
  EXPECT_TRUE(has(1));
  EXPECT_FALSE(has(2));
  EXPECT_EQ(kept_.unread_bytes(), 0U);
}

}  // namespace
}  // namespace cairn
