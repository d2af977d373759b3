#include "store/chunks/chunk_reader.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/support/faulty_object_store.h"
#include "tests/unit/store/stored_files.h"

namespace cairn {
namespace {

constexpr uint32_t kChunk = 64U << 10;
constexpr uint64_t kFlight = kChunk + kChunkHeaderBytes;
constexpr ObjectOperation kGet = ObjectOperation::get;

class ChunkReaderTest : public testing::Test {
 protected:
  explicit ChunkReaderTest(const TestEnvironmentOptions& options = {}) : host_(remote_, options) {}

  ChunkRef put(uint64_t seed) { return put_chunk(store_.objects(), 0, random_bytes(kChunk, seed).view()); }

  Result<std::vector<std::byte>> read(const ChunkRef& chunk, uint64_t offset, size_t size,
                                      const RequestContext& context = test_context()) {
    std::vector<std::byte> out(size);
    auto done = reader_.read(chunk, offset, out, context);
    if (!done) return fail(std::move(done).error());
    return out;
  }

  // The chunk's bytes as they were put.
  static std::vector<std::byte> bytes(uint64_t seed, uint64_t offset, size_t size) {
    return to_vector(random_bytes(kChunk, seed).view().subspan(offset, size));
  }

  // Waits for the last holders: a fetch's own thread lets go a moment after its readers have the bytes.
  bool all_memory_comes_back() {
    return host_.memory().acquire(host_.memory().limit_bytes(), test_context()).has_value();
  }
  uint64_t fetches() const { return remote_.count(kGet, keys::kChunks); }

  std::shared_ptr<Gate> block_fetches() { return remote_.block(kGet, keys::kChunks); }

  TestStore store_{kChunk};
  FaultyObjectStore remote_{store_.objects()};
  TestEnvironment host_;
  ChunkReader reader_{host_.environment()};
};

TEST_F(ChunkReaderTest, a_read_gives_the_bytes_from_its_offset_on) {
  const ChunkRef chunk = put(1);
  EXPECT_EQ(read(chunk, 1000, 500).value(), bytes(1, 1000, 500));
  EXPECT_EQ(read(chunk, 0, kChunk).value(), bytes(1, 0, kChunk));
  EXPECT_EQ(read(chunk, kChunk, 0).value().size(), 0U);
}

TEST_F(ChunkReaderTest, second_read_of_a_chunk_does_not_reach_remote) {
  const ChunkRef chunk = put(1);
  read(chunk, 0, 10).value();
  read(chunk, 4096, 10).value();
  EXPECT_EQ(fetches(), 1U);
}

TEST_F(ChunkReaderTest, a_cached_chunk_is_read_without_remote_and_without_buffers) {
  const ChunkRef chunk = put(1);
  read(chunk, 0, 10).value();
  ASSERT_TRUE(all_memory_comes_back());
  EXPECT_EQ(read(chunk, 8192, 4096).value(), bytes(1, 8192, 4096));
  EXPECT_EQ(host_.memory().used_bytes(), 0U);
  EXPECT_EQ(fetches(), 1U);
}

TEST_F(ChunkReaderTest, a_buffer_counts_against_the_budget_until_its_last_holder_lets_go) {
  auto buffer = reader_.fetch(put(1), test_context()).value();
  reader_.drop_memory();
  EXPECT_EQ(host_.memory().used_bytes(), kChunk);
  buffer = nullptr;
  EXPECT_TRUE(all_memory_comes_back());
}

TEST_F(ChunkReaderTest, many_readers_one_fetch) {
  const ChunkRef chunk = put(1);
  const auto gate = block_fetches();
  std::vector<std::future<Result<std::vector<std::byte>>>> readers;
  for (uint64_t i = 0; i < 16; ++i) {
    readers.push_back(std::async(std::launch::async, [&, i] { return read(chunk, i * 4096, 4096); }));
  }
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
  for (uint64_t i = 0; i < 16; ++i) EXPECT_EQ(readers[i].get().value(), bytes(1, i * 4096, 4096));
  EXPECT_EQ(fetches(), 1U);
}

TEST_F(ChunkReaderTest, waiter_leaves_when_interrupted_and_fetch_goes_on) {
  const ChunkRef chunk = put(1);
  const auto gate = block_fetches();
  std::stop_source interrupt;
  auto waiter = std::async(std::launch::async, [&] {
    RequestContext context = test_context();
    context.stop = interrupt.get_token();
    return read(chunk, 0, 10, context);
  });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  std::promise<Result<SharedBuffer>> arrived;
  reader_.prefetch(chunk, [&](Result<SharedBuffer> outcome) { arrived.set_value(std::move(outcome)); });
  interrupt.request_stop();
  EXPECT_EQ(waiter.get().error().code(), Errc::cancelled);
  gate->open();
  EXPECT_EQ(arrived.get_future().get().value()->size(), kChunk);
  EXPECT_EQ(fetches(), 1U);
}

TEST_F(ChunkReaderTest, waiter_leaves_at_its_deadline) {
  const auto gate = block_fetches();
  const auto late = read(put(1), 0, 10, RequestContext::within(std::chrono::milliseconds(20)));
  EXPECT_EQ(late.error().code(), Errc::deadline_exceeded);
}

TEST_F(ChunkReaderTest, a_fetch_that_nobody_waits_for_any_more_is_cancelled_and_its_chunk_can_be_fetched_again) {
  const ChunkRef chunk = put(1);
  block_fetches();
  std::stop_source interrupt;
  std::thread waiter([&] {
    RequestContext context = test_context();
    context.stop = interrupt.get_token();
    EXPECT_FALSE(read(chunk, 0, 10, context).has_value());
  });
  interrupt.request_stop();
  waiter.join();
  remote_.heal();  // whoever still stands at the gate stays there until it is cancelled
  EXPECT_EQ(read(chunk, 0, 10).value(), bytes(1, 0, 10));
}

TEST_F(ChunkReaderTest, a_bit_flipped_on_the_way_is_noticed_and_the_chunk_fetched_again) {
  const ChunkRef chunk = put(1);
  remote_.add({.operation = kGet, .key_prefix = keys::kChunks, .effect = FaultEffect::flip_bit});
  EXPECT_EQ(read(chunk, 0, 100).value(), bytes(1, 0, 100));
  EXPECT_EQ(fetches(), 2U);
  EXPECT_EQ(host_.counters().corrupt_objects, 1U);
}

TEST_F(ChunkReaderTest, flipped_bit_in_object_is_refetched_then_corrupt) {
  const ChunkRef chunk = put(1);
  remote_.add({.operation = kGet, .key_prefix = keys::kChunks, .times = kEveryTime, .effect = FaultEffect::flip_bit});
  const auto damaged = read(chunk, 0, 100);
  EXPECT_EQ(damaged.error().code(), Errc::corrupt);
  EXPECT_NE(damaged.error().message().find(chunk.id.short_hex()), std::string::npos);
  EXPECT_EQ(fetches(), 2U);
  EXPECT_FALSE(host_.cache().contains(chunk.id));
}

TEST_F(ChunkReaderTest, a_truncated_object_is_corrupt) {
  remote_.add({.operation = kGet, .key_prefix = keys::kChunks, .times = kEveryTime, .effect = FaultEffect::truncate});
  EXPECT_EQ(read(put(1), 0, 100).error().code(), Errc::corrupt);
}

TEST_F(ChunkReaderTest, bytes_that_are_not_those_of_the_id_are_corrupt_where_digests_are_verified) {
  host_.environment().options.verify_digest = true;
  ChunkRef chunk = put(1);
  const ChunkRef other = put(2);
  ASSERT_TRUE(store_.objects().remove({keys::chunk(chunk.id)}, test_context()));
  const auto bytes_of_other = store_.objects().get(keys::chunk(other.id), {}, test_context()).value();
  ASSERT_TRUE(store_.objects().put_if_absent(keys::chunk(chunk.id), bytes_of_other.view(), test_context()));
  chunk.checksum = other.checksum;
  EXPECT_EQ(read(chunk, 0, 100).error().code(), Errc::corrupt);
}

TEST_F(ChunkReaderTest, a_missing_chunk_says_what_to_do) {
  const ChunkRef chunk = put(1);
  ASSERT_TRUE(store_.objects().remove({keys::chunk(chunk.id)}, test_context()));
  const auto missing = read(chunk, 0, 100);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
  EXPECT_NE(missing.error().message().find("cairnfs check"), std::string::npos);
}

TEST_F(ChunkReaderTest, a_manifest_that_lies_about_a_chunks_size_is_corrupt_even_when_the_chunk_is_kept) {
  ChunkRef chunk = put(1);
  read(chunk, 0, 10).value();
  chunk.size = kChunk / 2;
  EXPECT_EQ(read(chunk, 0, 10).error().code(), Errc::corrupt);
  EXPECT_EQ(reader_.fetch(chunk, test_context()).error().code(), Errc::corrupt);
}

TEST_F(ChunkReaderTest, a_prefetched_chunk_is_read_without_another_fetch) {
  const ChunkRef chunk = put(1);
  std::promise<void> arrived;
  reader_.prefetch(chunk, [&](const Result<SharedBuffer>& outcome) {
    EXPECT_TRUE(outcome.has_value());
    arrived.set_value();
  });
  arrived.get_future().get();
  EXPECT_TRUE(reader_.is_local(chunk));
  read(chunk, 0, 10).value();
  EXPECT_EQ(fetches(), 1U);
  EXPECT_EQ(host_.counters().chunks_prefetched, 1U);
}

TEST_F(ChunkReaderTest, a_prefetch_that_fails_does_not_fail_the_reader_who_joined_it) {
  const ChunkRef chunk = put(1);
  auto gate = std::make_shared<Gate>();
  remote_.add({.operation = kGet, .key_prefix = keys::kChunks, .effect = FaultEffect::block, .gate = gate});
  remote_.add({.operation = kGet, .key_prefix = keys::kChunks, .effect = FaultEffect::fail_before});
  reader_.prefetch(chunk, [](const Result<SharedBuffer>&) {});
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto reader = std::async(std::launch::async, [&] { return read(chunk, 0, 10); });
  gate->open();
  EXPECT_EQ(reader.get().value(), bytes(1, 0, 10));
}

TEST_F(ChunkReaderTest, destroying_the_reader_cancels_what_is_under_way) {
  auto reader = std::make_unique<ChunkReader>(host_.environment());
  const auto gate = block_fetches();
  std::promise<Result<SharedBuffer>> ended;
  reader->prefetch(put(1), [&](Result<SharedBuffer> outcome) { ended.set_value(std::move(outcome)); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  reader = nullptr;
  EXPECT_EQ(ended.get_future().get().error().code(), Errc::cancelled);
}

class ChunkReaderInSomeMemoryTest : public ChunkReaderTest {
 protected:
  ChunkReaderInSomeMemoryTest() : ChunkReaderTest({.memory_bytes = 8 * kFlight, .cache_bytes = 0}) {}
};

TEST_F(ChunkReaderInSomeMemoryTest, chunks_that_are_read_piece_by_piece_are_fetched_once_each) {
  const ChunkRef a = put(1), b = put(2);
  uint64_t others = 0;
  for (uint64_t piece = 0; piece < 8; ++piece) {
    for (const auto& [seed, chunk] : {std::pair{uint64_t{1}, a}, std::pair{uint64_t{2}, b}}) {
      EXPECT_EQ(read(chunk, piece * 64, 64).value(), bytes(seed, piece * 64, 64));
    }
    for (int i = 0; i < 4; ++i) reader_.fetch(put(10 + others++), test_context()).value();
  }
  EXPECT_EQ(fetches(), 2U + others);
}

class ChunkReaderInLittleMemoryTest : public ChunkReaderTest {
 protected:
  ChunkReaderInLittleMemoryTest() : ChunkReaderTest({.memory_bytes = 4 * kFlight, .cache_bytes = 0}) {}
};

TEST_F(ChunkReaderInLittleMemoryTest, budget_is_never_exceeded_and_everybody_gets_through) {
  std::vector<ChunkRef> chunks;
  for (uint64_t seed = 0; seed < 24; ++seed) chunks.push_back(put(seed));
  std::vector<std::thread> readers;
  for (uint64_t reader = 0; reader < 8; ++reader) {
    readers.emplace_back([&, reader] {
      for (uint64_t i = 0; i < 100; ++i) {
        const uint64_t seed = (i * 7 + reader * 5) % chunks.size();
        EXPECT_EQ(read(chunks[seed], 256, 64).value(), bytes(seed, 256, 64));
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_LE(host_.memory().peak_bytes(), host_.memory().limit_bytes());
}

TEST_F(ChunkReaderInLittleMemoryTest, resident_chunks_give_way_to_a_demand) {
  for (uint64_t seed = 0; seed < 12; ++seed) read(put(seed), 0, 1).value();
  auto all = host_.memory().acquire(host_.memory().limit_bytes(), test_context());
  EXPECT_TRUE(all.has_value());
}

TEST_F(ChunkReaderInLittleMemoryTest, prefetches_leave_three_quarters_of_the_budget_to_demands) {
  const auto gate = block_fetches();
  // Shared: the one that is under way may be cancelled when this test is over.
  const auto refused = std::make_shared<std::vector<Errc>>();
  for (uint64_t seed = 0; seed < 4; ++seed) {
    reader_.prefetch(put(seed), [refused](const Result<SharedBuffer>& outcome) {
      if (!outcome) refused->push_back(outcome.error().code());
    });
  }
  EXPECT_EQ(*refused, std::vector<Errc>(3, Errc::no_space));
  EXPECT_LE(host_.memory().used_bytes(), host_.memory().limit_bytes() / 4);
  gate->open();
}

TEST_F(ChunkReaderInLittleMemoryTest, nothing_is_prefetched_while_a_reader_waits_for_memory) {
  auto all = host_.memory().acquire(host_.memory().limit_bytes(), test_context());
  const ChunkRef wanted = put(1);
  std::thread reader([&] { EXPECT_EQ(read(wanted, 0, 10).value(), bytes(1, 0, 10)); });
  while (!host_.memory().contended()) std::this_thread::yield();
  std::promise<Result<SharedBuffer>> outcome;
  reader_.prefetch(put(2), [&](Result<SharedBuffer> refused) { outcome.set_value(std::move(refused)); });
  EXPECT_EQ(outcome.get_future().get().error().code(), Errc::no_space);
  all->release();
  reader.join();
}

TEST_F(ChunkReaderInLittleMemoryTest, a_reader_that_waits_for_memory_can_be_interrupted) {
  auto all = host_.memory().acquire(host_.memory().limit_bytes(), test_context());
  const auto late = read(put(1), 0, 10, RequestContext::within(std::chrono::milliseconds(20)));
  EXPECT_EQ(late.error().code(), Errc::deadline_exceeded);
}

}  // namespace
}  // namespace cairn
