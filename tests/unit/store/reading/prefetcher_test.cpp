#include "store/reading/prefetcher.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/faulty_object_store.h"
#include "tests/unit/store/stored_files.h"

namespace cairn {
namespace {

constexpr uint32_t kChunk = 64U << 10;
constexpr uint64_t kPiece = 16U << 10;
constexpr uint64_t kChunks = 64;

// One io thread, so that let_io_finish() is the end of every prefetch asked for.
class PrefetcherTest : public testing::Test {
 protected:
  PrefetcherTest() : content_(random_bytes(kChunks * kChunk, 1)), version_(put_file(store_, content_.view())) {
    host_.environment().options.prefetch_chunks = 8;
    open();
  }

  void open() { file_ = FileReader::open(host_.environment(), reader_, version_, test_context()).value(); }

  void read(uint64_t offset, size_t size) {
    std::vector<std::byte> out(size);
    ASSERT_EQ(file_->read(offset, out, test_context()).value(), size);
    ASSERT_EQ(std::memcmp(out.data(), content_.data() + offset, size), 0);
    let_io_finish(host_);
  }
  void read_sequentially(uint64_t begin, uint64_t end) {
    for (uint64_t at = begin; at < end; at += kPiece) read(at, kPiece);
  }
  uint64_t fetched() const { return remote_.count(ObjectOperation::get, keys::kChunks); }
  bool is_local(size_t chunk) const { return reader_.is_local(file_->manifest().chunks()[chunk]); }

  // What was pushed to the page sink, by offset.
  void collect_pushes() {
    file_->set_page_sink([this](uint64_t offset, ByteView bytes, const SharedBuffer&) {
      const std::lock_guard lock(mutex_);
      EXPECT_EQ(std::memcmp(bytes.data(), content_.data() + offset, bytes.size()), 0);
      pushed_[offset] = bytes.size();
      return true;
    });
  }

  TestStore store_{kChunk};
  FaultyObjectStore remote_{store_.objects()};
  TestEnvironment host_{remote_, TestEnvironmentOptions{.io_threads = 1}};
  ChunkReader reader_{host_.environment()};
  Buffer content_;
  VersionPtr version_;
  std::mutex mutex_;
  std::map<uint64_t, uint64_t> pushed_;
  std::shared_ptr<FileReader> file_;
};

TEST_F(PrefetcherTest, a_sequential_reader_finds_the_next_chunks_already_there) {
  read_sequentially(0, 6 * kChunk);
  for (size_t chunk = 6; chunk < 14; ++chunk) EXPECT_TRUE(is_local(chunk)) << chunk;
  EXPECT_EQ(fetched(), 14U);
}

TEST_F(PrefetcherTest, a_reader_who_stops_early_has_cost_little_more_than_it_read) {
  read_sequentially(0, 2 * kPiece);
  EXPECT_LE(fetched(), 3U);
}

TEST_F(PrefetcherTest, random_reads_do_not_prefetch) {
  for (uint64_t i = 0; i < 16; ++i) read((i * 37 % 16) * 4 * kChunk + 8192, 4096);
  EXPECT_EQ(fetched(), 16U);
}

TEST_F(PrefetcherTest, torch_pattern_streams_the_records_after_the_look_at_the_tail) {
  read(0, 4096);
  read(kChunks * kChunk - 4096, 4096);
  read(kChunks * kChunk - 20000, 8000);
  EXPECT_EQ(fetched(), 2U);
  read_sequentially(0, 4 * kChunk);
  for (size_t chunk = 4; chunk < 12; ++chunk) EXPECT_TRUE(is_local(chunk)) << chunk;
}

TEST_F(PrefetcherTest, prefetch_failures_never_reach_a_reader) {
  read_sequentially(0, 2 * kChunk);
  remote_.add({.operation = ObjectOperation::get, .key_prefix = keys::kChunks, .times = 4});
  read(2 * kChunk, kPiece);  // prefetches more, in vain
  read_sequentially(2 * kChunk + kPiece, 16 * kChunk);
}

TEST_F(PrefetcherTest, without_a_page_sink_cached_chunks_are_left_where_they_are) {
  read_sequentially(0, kChunks * kChunk);
  reader_.drop_memory();
  open();
  read_sequentially(0, 16 * kChunk);
  EXPECT_EQ(host_.memory().used_bytes(), 0U);
  EXPECT_EQ(fetched(), kChunks);
}

TEST_F(PrefetcherTest, streamed_chunks_go_to_the_page_sink_but_for_their_first_pages) {
  collect_pushes();
  read_sequentially(0, 2 * kChunk);
  ASSERT_FALSE(pushed_.empty());
  for (const auto& [offset, size] : pushed_) {
    EXPECT_EQ(offset % 4096, 0U);
    EXPECT_GT(offset % kChunk, 0U);
    EXPECT_EQ((offset + size) % kChunk, 0U);
  }
}

TEST_F(PrefetcherTest, cached_chunks_are_streamed_to_the_page_sink_too) {
  read_sequentially(0, kChunks * kChunk);
  reader_.drop_memory();
  const uint64_t before = fetched();
  open();
  collect_pushes();
  read_sequentially(0, 2 * kChunk);
  EXPECT_FALSE(pushed_.empty());
  EXPECT_EQ(fetched(), before);
}

TEST_F(PrefetcherTest, pushing_stops_when_the_reader_does_and_goes_on_with_its_next_fault) {
  collect_pushes();
  read_sequentially(0, 6 * kChunk);
  EXPECT_LE(pushed_.rbegin()->first, 14 * kChunk);
  // The kernel answers everything from pushed pages until the first pages of a chunk, which were left out.
  read(13 * kChunk, 4096);
  EXPECT_GT(pushed_.rbegin()->first, 20 * kChunk);
  EXPECT_LT(pushed_.rbegin()->first, 22 * kChunk);
}

TEST_F(PrefetcherTest, a_chunk_counts_as_unread_until_the_sink_lets_go_of_it) {
  std::vector<SharedBuffer> queue;
  file_->set_page_sink([&](uint64_t, ByteView, const SharedBuffer& chunk) {
    queue.push_back(chunk);
    return true;
  });
  const uint64_t half = host_.memory().limit_bytes() / 2;
  host_.environment().options.prefetch_chunks = 1000;
  read_sequentially(0, kChunks * kChunk);
  EXPECT_LE(queue.size() * kChunk, half);
  queue.clear();
}

TEST_F(PrefetcherTest, no_push_comes_after_the_sink_was_taken_away) {
  collect_pushes();
  read_sequentially(0, kChunk);
  file_->set_page_sink(nullptr);
  pushed_.clear();
  read_sequentially(kChunk, 8 * kChunk);
  EXPECT_TRUE(pushed_.empty());
}

}  // namespace
}  // namespace cairn
