#include "store/reading/read_streams.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint32_t kChunk = 4 * kMiB;
constexpr uint64_t kFile = 10'000 * kMiB;

class ReadStreamsTest : public testing::Test {
 protected:
  ReadStreams streams_{kChunk};
};

TEST_F(ReadStreamsTest, a_single_read_is_no_stream) { EXPECT_EQ(streams_.observe(0, 1 * kMiB).ahead_bytes, 0U); }

TEST_F(ReadStreamsTest, a_sequential_reader_is_recognised_and_what_is_fetched_ahead_grows_with_what_it_read) {
  uint64_t ahead = 0;
  for (uint64_t at = 0; at < 40 * kMiB; at += kMiB) {
    const auto position = streams_.observe(at, kMiB);
    EXPECT_EQ(position.front, at + kMiB);
    EXPECT_GE(position.ahead_bytes, ahead);
    EXPECT_LE(position.ahead_bytes, std::max<uint64_t>(kChunk, 2 * position.front));
    ahead = position.ahead_bytes;
  }
  EXPECT_EQ(ahead, 80 * kMiB);
}

TEST_F(ReadStreamsTest, a_part_from_the_middle_costs_no_more_than_a_chunk_or_a_sixteenth_beyond_it) {
  ReadStreams::Position position;
  for (uint64_t at = 1000 * kMiB; at < 1032 * kMiB; at += kMiB) position = streams_.observe(at, kMiB);
  EXPECT_EQ(position.ahead_bytes, 3 * kMiB);
  for (uint64_t at = 1032 * kMiB; at < 1096 * kMiB; at += kMiB) position = streams_.observe(at, kMiB);
  EXPECT_EQ(position.ahead_bytes, 6 * kMiB);
}

TEST_F(ReadStreamsTest, mmap_sweep_is_recognised) {
  // Windows of the kernel's read-ahead arrive ascending, up to four of them in the wrong order, some missing.
  std::mt19937_64 random(test_seed());
  std::vector<uint64_t> windows;
  for (uint64_t i = 0; i < 64; ++i) windows.push_back(i * 512 * kKiB);
  for (auto four = windows.begin(); four != windows.end(); four += 4) std::shuffle(four, four + 4, random);
  std::set<uint64_t> streams;
  ReadStreams::Position last;
  for (const uint64_t at : windows) {
    last = streams_.observe(at, 512 * kKiB);
    streams.insert(last.stream);
  }
  EXPECT_EQ(streams.size(), 1U);
  EXPECT_GT(last.ahead_bytes, 4 * kChunk);
}

TEST_F(ReadStreamsTest, a_look_at_the_tail_leaves_the_heads_stream_alone) {
  // torch.load: the start, the zip directory at the end, then the records in order.
  const uint64_t head = streams_.observe(0, 128 * kKiB).stream;
  streams_.observe(kFile - 64 * kKiB, 64 * kKiB);
  streams_.observe(kFile - 300 * kKiB, 128 * kKiB);
  ReadStreams::Position position;
  for (uint64_t at = 128 * kKiB; at < 8 * kMiB; at += 128 * kKiB) position = streams_.observe(at, 128 * kKiB);
  EXPECT_EQ(position.stream, head);
  EXPECT_GT(position.ahead_bytes, kChunk);
}

TEST_F(ReadStreamsTest, random_reads_are_no_streams) {
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < 2000; ++i) {
    const uint64_t at = random() % (kFile / 4096) * 4096;
    EXPECT_EQ(streams_.observe(at, 4096).ahead_bytes, 0U) << at;
  }
}

TEST_F(ReadStreamsTest, backward_reads_are_no_stream) {
  for (uint64_t at = 100 * kMiB; at > 0; at -= kMiB) EXPECT_EQ(streams_.observe(at, kMiB).ahead_bytes, 0U);
}

TEST_F(ReadStreamsTest, many_readers_at_different_places_each_have_their_stream) {
  constexpr uint64_t kReaders = 32;
  std::set<uint64_t> streams;
  for (uint64_t step = 0; step < 16; ++step) {
    for (uint64_t reader = 0; reader < kReaders; ++reader) {
      const auto position = streams_.observe(reader * 300 * kMiB + step * kMiB, kMiB);
      streams.insert(position.stream);
      EXPECT_EQ(position.ahead_bytes > 0, step > 0);
    }
  }
  EXPECT_EQ(streams.size(), kReaders);
}

TEST_F(ReadStreamsTest, reads_that_the_kernel_answered_from_pushed_pages_count_as_read) {
  streams_.observe(0, kMiB);
  const uint64_t stream = streams_.observe(kMiB, kMiB).stream;
  streams_.asked(stream, 40 * kMiB, true);
  const auto position = streams_.observe(36 * kMiB, 64 * kKiB);
  EXPECT_EQ(position.stream, stream);
  EXPECT_EQ(position.ahead_bytes, 2 * (36 * kMiB + 64 * kKiB));
  EXPECT_EQ(position.asked_until, 40 * kMiB);
}

TEST_F(ReadStreamsTest, what_could_not_be_had_is_asked_for_again) {
  const uint64_t stream = streams_.observe(0, kMiB).stream;
  streams_.asked(stream, 40 * kMiB, false);
  streams_.retract(stream, 12 * kMiB);
  EXPECT_EQ(streams_.observe(kMiB, kMiB).asked_until, 12 * kMiB);
}

}  // namespace
}  // namespace cairn
