#include "fs/sibling_shards.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/wait.h"
#include "tests/support/test_host.h"

namespace cairn {
namespace {

TEST(NextShard, is_the_one_with_the_next_number) {
  EXPECT_EQ(next_shard("model-00001-of-00004.safetensors"), "model-00002-of-00004.safetensors");
  EXPECT_EQ(next_shard("pytorch_model-00009-of-00012.bin"), "pytorch_model-00010-of-00012.bin");
  EXPECT_EQ(next_shard("a-00001-of-00002-00001-of-00002.gguf"), "a-00001-of-00002-00002-of-00002.gguf");
  EXPECT_EQ(next_shard("consolidated-00001-of-00002"), "consolidated-00002-of-00002");
  EXPECT_EQ(next_shard("counted-00000-of-00002.bin"), "counted-00001-of-00002.bin");
}

TEST(NextShard, of_the_last_is_the_first) {
  EXPECT_EQ(next_shard("model-00004-of-00004.safetensors"), "model-00001-of-00004.safetensors");
}

TEST(NextShard, is_none_of_other_names) {
  for (const char* name :
       {"model.safetensors", "model-00001-of-00001.safetensors", "model-00005-of-00004.safetensors",
        "model-0001-of-00004.safetensors", "model-00001-of-0004.safetensors", "-of-", "", "model00001-of-00004.bin",
        "model-00001-of-00004x.bin", "model--0001-of-00004.bin", "00001-of-00004.bin", "model-00001-of-000040.bin"}) {
    EXPECT_EQ(next_shard(name), std::nullopt) << name;
  }
}

class Shards : public testing::Test {
 protected:
  static constexpr uint64_t kSize = 4 << 20;
  static constexpr uint64_t kChunks = kSize / (64 << 10);

  Shards() {
    TestHost writer(store_.objects());
    for (int i = 1; i <= 3; ++i) {
      const Buffer content = random_bytes(kSize, test_seed() + static_cast<uint64_t>(i));
      check(writer.write(name(i), as_text(content.view())).has_value(), "a test can write a file");
    }
  }
  static std::string name(int shard) { return "model-0000" + std::to_string(shard) + "-of-00003.bin"; }
  static void read(TestHost& host, HandleId file, uint64_t begin, uint64_t end) {
    std::vector<std::byte> out(kPiece);
    for (uint64_t at = begin; at < end; at += kPiece) {
      ASSERT_TRUE(host.files().read(file, at, out, test_context()));
    }
  }
  // The counter is another thread's work.
  static bool fetches(TestHost& host, uint64_t chunks) {
    Mutex mutex;
    Condition never;
    for (int i = 0; i < 2000 && host.counters().chunks_fetched < chunks; ++i) {
      MutexLock lock(mutex);
      never.wait_for(lock, {}, std::chrono::milliseconds(5), [] { return false; });
    }
    return host.counters().chunks_fetched >= chunks;
  }
  static constexpr uint64_t kPiece = 64 << 10;

  TestStore store_;
};

TEST_F(Shards, the_next_one_comes_into_the_cache_once_half_of_one_was_read) {
  TestHost host(store_.objects());
  const auto file = host.open(name(1), O_RDONLY);
  ASSERT_TRUE(file);
  read(host, *file, 0, kSize);
  EXPECT_TRUE(fetches(host, 2 * kChunks));
  host.files().release(*file);
  const auto next = host.open(name(2), O_RDONLY);
  ASSERT_TRUE(next);
  read(host, *next, 0, kPiece);
  EXPECT_EQ(host.counters().chunks_fetched, 2 * kChunks) << "one at a time";
  host.files().release(*next);
}

TEST_F(Shards, none_comes_before_half_was_read_or_where_there_is_no_cache) {
  for (const uint64_t cache_bytes : {256ULL << 20, 0ULL}) {
    FaultyObjectStore network(store_.objects());
    TestHost host(network, {.cache_bytes = cache_bytes});
    const auto file = host.open(name(1), O_RDONLY);
    ASSERT_TRUE(file);
    read(host, *file, 0, cache_bytes > 0 ? kSize / 4 : kSize);
    host.files().release(*file);
    EXPECT_LE(host.counters().chunks_fetched, kChunks);
    EXPECT_EQ(network.count(ObjectOperation::get, "manifests/"), 1U);
  }
}

TEST_F(Shards, what_is_under_way_ends_with_the_file_system) {
  FaultyObjectStore network(store_.objects());
  const auto host = std::make_unique<TestHost>(network);
  const auto file = host->open(name(1), O_RDONLY);
  ASSERT_TRUE(file);
  const auto gate = network.block(ObjectOperation::get, "manifests/");
  read(*host, *file, 0, kSize);
  ASSERT_TRUE(gate->wait_for_arrivals(1));  // the second one's, for which nobody opens
  host->files().release(*file);
}

}  // namespace
}  // namespace cairn
