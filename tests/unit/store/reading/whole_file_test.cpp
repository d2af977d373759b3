#include "store/reading/whole_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

using testing::ElementsAre;

constexpr size_t kChunks = 64;
constexpr size_t kWindow = 4;
constexpr SteadyTime kNow{std::chrono::hours(1)};

class WholeFileTest : public testing::Test {
 protected:
  // Everything that is given now, each chunk landing at once.
  std::vector<size_t> stream() {
    std::vector<size_t> given;
    while (const auto chunk = file_.next(0)) {
      given.push_back(*chunk);
      file_.landed();
    }
    return given;
  }
  void begin(std::vector<uint32_t> order = {}) {
    for (int i = 0; i < 3; ++i) file_.add_region(kNow);
    ASSERT_TRUE(file_.recognise());
    file_.begin(std::move(order));
  }

  WholeFile file_{kChunks, kWindow};
};

TEST_F(WholeFileTest, one_tensor_after_the_header_is_no_whole) {
  file_.touch(0, 1);
  file_.touch(20, 28);
  file_.add_region(kNow);
  EXPECT_FALSE(file_.recognise());
  EXPECT_EQ(file_.next(0), std::nullopt);
}

TEST_F(WholeFileTest, three_regions_within_half_a_minute_are_a_whole) {
  file_.add_region(kNow);
  file_.add_region(kNow + std::chrono::seconds(1));
  EXPECT_FALSE(file_.recognise());
  file_.add_region(kNow + std::chrono::seconds(29));
  EXPECT_TRUE(file_.recognise());
  EXPECT_FALSE(file_.recognise()) << "once";
}

TEST_F(WholeFileTest, regions_that_are_minutes_apart_are_none) {
  for (int i = 0; i < 10; ++i) {
    file_.add_region(kNow + i * std::chrono::minutes(1));
    EXPECT_FALSE(file_.recognise());
  }
}

TEST_F(WholeFileTest, small_random_reads_are_a_whole_once_they_have_met_half_of_the_chunks) {
  std::vector<size_t> chunks(kChunks);
  std::iota(chunks.begin(), chunks.end(), 0U);
  std::shuffle(chunks.begin(), chunks.end(), std::mt19937_64(test_seed()));
  for (size_t i = 0; i < kChunks / 2; ++i) {
    EXPECT_FALSE(file_.recognise()) << i;
    file_.touch(chunks[i], chunks[i] + 1);
    file_.touch(chunks[0], chunks[0] + 1);
  }
  EXPECT_TRUE(file_.recognise());
}

TEST_F(WholeFileTest, what_nobody_has_touched_or_asked_for_streams_in_the_files_order) {
  file_.touch(1, 3);
  EXPECT_TRUE(file_.ask(3));
  begin();
  EXPECT_THAT(stream(), ElementsAre(0, 4, 5, 6, 7, 8, 9)) << "with 3, twice what was touched and a window";
}

TEST_F(WholeFileTest, a_profile_says_what_comes_first) {
  file_.touch(0, 1);
  begin({40, 41, 0, 7});
  EXPECT_THAT(stream(), ElementsAre(40, 41, 7, 1, 2, 3));
}

TEST_F(WholeFileTest, a_window_of_chunks_is_under_way_with_those_that_wait_to_be_taken_over) {
  begin();
  file_.touch(60, 64);
  for (size_t i = 0; i < kWindow; ++i) EXPECT_TRUE(file_.next(0)) << i;
  EXPECT_FALSE(file_.next(0));
  file_.landed();
  EXPECT_FALSE(file_.next(1)) << "it is still held";
  EXPECT_TRUE(file_.next(0));
}

TEST_F(WholeFileTest, the_stream_ends_soon_after_the_readers_and_goes_on_with_them) {
  begin();
  EXPECT_EQ(stream().size(), kWindow);
  file_.touch(63, 64);
  EXPECT_EQ(stream().size(), 2U);
  file_.touch(0, 1);
  EXPECT_EQ(stream().size(), 3U) << "one of what lay ready was read, too";
}

TEST_F(WholeFileTest, what_found_no_room_is_asked_for_first_once_something_moves) {
  begin();
  const auto first = file_.next(0);
  ASSERT_TRUE(first);
  file_.retract(*first);
  EXPECT_FALSE(file_.next(0)) << "not before";
  file_.touch(50, 51);
  EXPECT_EQ(file_.next(0), first);
}

TEST_F(WholeFileTest, every_chunk_is_asked_for_or_touched_whatever_the_order_of_the_readers) {
  std::mt19937_64 random(test_seed());
  std::vector<size_t> chunks(kChunks);
  std::iota(chunks.begin(), chunks.end(), 0U);
  std::shuffle(chunks.begin(), chunks.end(), random);
  begin();
  std::set<size_t> asked, touched;
  for (const size_t chunk : chunks) {
    file_.touch(chunk, chunk + 1);
    touched.insert(chunk);
    for (const size_t given : stream()) {
      EXPECT_TRUE(asked.insert(given).second) << "twice: " << given;
      EXPECT_FALSE(touched.contains(given)) << given;
    }
  }
  EXPECT_FALSE(file_.streams());
  EXPECT_EQ(file_.order(), std::vector<uint32_t>(chunks.begin(), chunks.end()));
}

TEST_F(WholeFileTest, what_a_reader_has_begun_is_handed_over_once) {
  file_.touch(5, 6);
  EXPECT_FALSE(file_.take_rest(5)) << "nothing is wanted whole yet";
  begin();
  EXPECT_TRUE(file_.take_rest(5));
  EXPECT_FALSE(file_.take_rest(5));
  EXPECT_EQ(file_.next(0), 0U);
  EXPECT_FALSE(file_.take_rest(0)) << "it streams";
}

TEST_F(WholeFileTest, a_second_load_streams_again) {
  file_.touch(0, kChunks);
  begin();
  EXPECT_TRUE(stream().empty());
  EXPECT_FALSE(file_.streams());
  file_.touch(9, 10);
  begin();
  EXPECT_EQ(stream().size(), kWindow);
}

}  // namespace
}  // namespace cairn
