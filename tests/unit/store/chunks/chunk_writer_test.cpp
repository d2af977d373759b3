#include "store/chunks/chunk_writer.h"

#include <gtest/gtest.h>

#include <future>

#include "tests/support/faulty_object_store.h"
#include "tests/unit/store/stored_files.h"

namespace cairn {
namespace {

constexpr uint32_t kChunk = 64U << 10;

class ChunkWriterTest : public testing::Test {
 protected:
  std::future<Result<StoredChunk>> store(uint64_t seed, RequestContext context = test_context(Cause::write_back)) {
    return store(writer_, seed, std::move(context));
  }
  std::future<Result<StoredChunk>> store(ChunkWriter& writer, uint64_t seed, RequestContext context) {
    auto promise = std::make_shared<std::promise<Result<StoredChunk>>>();
    auto lease = host_.memory().acquire(ChunkWriter::lease_bytes(kChunk), test_context()).value();
    writer.store(4096, std::make_shared<const Buffer>(random_bytes(kChunk, seed)), std::move(lease), std::move(context),
                 [promise](Result<StoredChunk> stored) { promise->set_value(std::move(stored)); });
    return promise->get_future();
  }
  uint64_t puts() const { return remote_.count(ObjectOperation::put_if_absent, keys::kChunks); }
  std::shared_ptr<Gate> block_puts() { return remote_.block(ObjectOperation::put_if_absent, keys::kChunks); }

  TestStore store_{kChunk};
  FaultyObjectStore remote_{store_.objects()};
  TestEnvironment host_{remote_};
  ChunkWriter writer_{host_.environment()};
};

TEST_F(ChunkWriterTest, readers_that_keep_every_io_thread_busy_do_not_hold_up_a_save) {
  const auto reading = std::make_shared<Gate>();  // some of the readers pass it after the test
  for (int i = 0; i < 16; ++i) {
    host_.environment().io.submit_urgent([reading] { (void)reading->pass(test_context()); });
  }
  auto stored = store(1);
  EXPECT_EQ(stored.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  reading->open();
  EXPECT_TRUE(stored.get());
}

TEST_F(ChunkWriterTest, the_time_of_a_put_begins_when_it_is_sent) {
  host_.environment().options.operation_timeout = std::chrono::milliseconds(500);
  ChunkWriter writer(host_.environment(), 1);
  auto gate = block_puts();
  std::vector<std::future<Result<StoredChunk>>> stored;
  for (const uint64_t seed : {1U, 2U, 3U})
    stored.push_back(store(writer, seed, {SteadyTime::max(), {}, Cause::write_back}));
  EXPECT_EQ(stored[0].get().error().code(), Errc::deadline_exceeded);
  gate->open();
  // Had their time begun when they were handed in, it would be over: they were queued for as long as the first one had.
  EXPECT_TRUE(stored[2].get());
}

TEST_F(ChunkWriterTest, a_stored_chunk_can_be_read_by_its_reference) {
  const StoredChunk stored = store(1).get().value();
  EXPECT_TRUE(stored.was_new);
  EXPECT_EQ(stored.ref.offset, 4096U);
  EXPECT_GE(stored.stored_bytes, kChunk);
  ChunkReader reader(host_.environment());
  const auto bytes = reader.fetch(stored.ref, test_context()).value();
  EXPECT_EQ(to_vector(bytes->view()), to_vector(random_bytes(kChunk, 1).view()));
}

TEST_F(ChunkWriterTest, a_chunk_that_was_stored_before_is_not_sent_again) {
  store(1).get().value();
  const StoredChunk again = store(1).get().value();
  EXPECT_FALSE(again.was_new);
  EXPECT_EQ(again.stored_bytes, 0U);
  EXPECT_EQ(puts(), 1U);
  EXPECT_EQ(host_.counters().chunks_shared, 1U);
}

TEST_F(ChunkWriterTest, a_chunk_that_a_manifest_lists_is_not_sent) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const ChunkRef ref = put_chunk(store_.objects(), 0, bytes.view());
  writer_.remember(Manifest(kChunk, {ref}));
  EXPECT_FALSE(store(1).get().value().was_new);
  EXPECT_EQ(puts(), 0U);
}

TEST_F(ChunkWriterTest, a_chunk_that_another_host_stored_counts_as_shared) {
  put_chunk(store_.objects(), 0, random_bytes(kChunk, 1).view());
  EXPECT_FALSE(store(1).get().value().was_new);
  EXPECT_EQ(host_.counters().chunks_sent, 0U);
}

TEST_F(ChunkWriterTest, of_equal_chunks_under_way_one_is_sent) {
  const auto gate = block_puts();
  std::vector<std::future<Result<StoredChunk>>> stored;
  for (int i = 0; i < 8; ++i) stored.push_back(store(1));
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
  int sent = 0;
  for (auto& chunk : stored) sent += chunk.get().value().was_new ? 1 : 0;
  EXPECT_EQ(sent, 1);
  EXPECT_EQ(puts(), 1U);
}

TEST_F(ChunkWriterTest, a_failure_names_the_chunk) {
  remote_.add({.operation = ObjectOperation::put_if_absent, .error = Errc::no_space});
  const auto failed = store(1).get();
  EXPECT_EQ(failed.error().code(), Errc::no_space);
  EXPECT_NE(failed.error().message().find(sha256(random_bytes(kChunk, 1).view()).short_hex()), std::string::npos);
}

TEST_F(ChunkWriterTest, when_the_first_of_two_equal_chunks_is_cancelled_the_second_is_sent) {
  const auto gate = block_puts();
  std::stop_source stop;
  RequestContext context = test_context(Cause::write_back);
  context.stop = stop.get_token();
  auto first = store(1, context);
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto second = store(1);
  // The second has been identified once a later chunk has come as far as the gate behind it.
  auto other = store(2);
  ASSERT_TRUE(gate->wait_for_arrivals(2));
  stop.request_stop();
  EXPECT_EQ(first.get().error().code(), Errc::cancelled);
  gate->open();
  EXPECT_TRUE(second.get().value().was_new);
  EXPECT_TRUE(other.get().value().was_new);
}

TEST_F(ChunkWriterTest, the_lease_is_given_back_when_the_chunk_is_done) {
  store(1).get().value();
  store(1).get().value();
  EXPECT_EQ(host_.memory().used_bytes(), 0U);
}

TEST(KnownObjectsTest, it_forgets_some_when_there_are_too_many) {
  KnownObjects known(100);
  int still_known = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) known.prove(sha256(random_bytes(8, seed).view()));
  for (uint64_t seed = 0; seed < 300; ++seed)
    still_known += known.is_proven(sha256(random_bytes(8, seed).view())) ? 1 : 0;
  EXPECT_EQ(still_known, 100);
}

}  // namespace
}  // namespace cairn
