// What every BlockCache promises, run over those that keep something.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "cache/lmdb_block_cache.h"
#include "cache/memory_block_cache.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr uint64_t kCapacity = 32 << 20;
constexpr size_t kChunk = 1 << 20;

struct Kind {
  const char* name;
  std::function<std::unique_ptr<BlockCache>(const std::string& directory)> make;
};

std::unique_ptr<BlockCache> make_lmdb(const std::string& directory) {
  auto cache = LmdbBlockCache::open({.path = directory, .capacity_bytes = kCapacity});
  EXPECT_TRUE(cache) << cache.error().to_string();
  return std::move(*cache);
}

class BlockCacheConformance : public testing::TestWithParam<Kind> {
 protected:
  static ChunkId id_of(uint64_t seed) { return sha256(as_bytes("chunk " + std::to_string(seed))); }

  void put(uint64_t seed, size_t size = kChunk) {
    cache_->put(id_of(seed), std::make_shared<Buffer>(random_bytes(size, seed)));
  }

  // Whether the cache answers, which must then be with the right bytes.
  bool reads(uint64_t seed, size_t size = kChunk) { return reads_part(seed, 0, size, size); }
  bool reads_part(uint64_t seed, size_t offset, size_t length, size_t size = kChunk) {
    Buffer out(length);
    if (!cache_->read(id_of(seed), offset, out.mutable_view())) return false;
    const Buffer expected = random_bytes(size, seed);
    EXPECT_TRUE(std::ranges::equal(out.view(), expected.view().subspan(offset, length))) << "chunk " << seed;
    return true;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<BlockCache> cache_ = GetParam().make(directory_.path());
};

TEST_P(BlockCacheConformance, a_chunk_is_readable_as_soon_as_put_returns) {
  put(1);
  EXPECT_TRUE(cache_->contains(id_of(1)));
  EXPECT_TRUE(reads(1));
}

TEST_P(BlockCacheConformance, a_chunk_that_was_never_put_is_a_miss) {
  put(1);
  EXPECT_FALSE(cache_->contains(id_of(2)));
  EXPECT_FALSE(reads(2));
}

TEST_P(BlockCacheConformance, chunks_of_any_size_read_back_whole) {
  constexpr size_t kBlock = LmdbBlockTable::kBlockBytes;
  const size_t sizes[] = {1, 100, 1978, 1979, 1980, 4096, kBlock - 1, kBlock, kBlock + 1, 3 * kBlock, (4 << 20) + 17};
  for (const size_t size : sizes) put(size, size);
  cache_->flush();
  for (const size_t size : sizes) EXPECT_TRUE(reads(size, size)) << size;
}

TEST_P(BlockCacheConformance, any_part_of_a_chunk_reads_back) {
  put(1);
  cache_->flush();
  for (const size_t offset : {0UL, 1UL, 4096UL, 65503UL, 65504UL, 65505UL, kChunk - 1}) {
    for (const size_t length : {1UL, 4096UL, 65504UL, 200000UL}) {
      if (offset + length <= kChunk) {
        EXPECT_TRUE(reads_part(1, offset, length)) << offset << "+" << length;
      }
    }
  }
}

TEST_P(BlockCacheConformance, a_read_past_the_end_of_the_chunk_is_a_miss) {
  put(1);
  Buffer out(2);
  EXPECT_FALSE(cache_->read(id_of(1), kChunk - 1, out.mutable_view()));
  cache_->flush();
  EXPECT_FALSE(cache_->read(id_of(1), kChunk - 1, out.mutable_view()));
  EXPECT_FALSE(cache_->read(id_of(1), kChunk + 1, {}));
  EXPECT_FALSE(cache_->read(id_of(1), ~uint64_t{0}, out.mutable_view()));
}

TEST_P(BlockCacheConformance, a_chunk_put_twice_is_kept_once) {
  put(1);
  cache_->flush();
  const BlockCacheStats once = cache_->stats();
  put(1);
  cache_->flush();
  EXPECT_EQ(cache_->stats().used_bytes, once.used_bytes);
  EXPECT_EQ(cache_->stats().chunks, 1U);
}

TEST_P(BlockCacheConformance, the_least_recently_used_chunk_goes_first) {
  put(0);
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    put(seed);
    cache_->flush();
    EXPECT_TRUE(reads_part(0, 0, 1));
  }
  EXPECT_TRUE(cache_->contains(id_of(0)));
  EXPECT_FALSE(cache_->contains(id_of(1)));
  EXPECT_TRUE(cache_->contains(id_of(40)));
  EXPECT_GT(cache_->stats().evicted_chunks, 0U);
}

TEST_P(BlockCacheConformance, stays_within_its_capacity_while_ten_times_as_much_goes_through) {
  for (uint64_t seed = 0; seed < 10 * kCapacity / kChunk; ++seed) {
    put(seed);
    if (seed % 8 == 0) cache_->flush();
    EXPECT_LE(cache_->stats().used_bytes, kCapacity);
  }
  cache_->flush();
  EXPECT_EQ(cache_->stats().dropped_puts, 0U);
  EXPECT_GE(cache_->stats().chunks, 16U);
}

TEST_P(BlockCacheConformance, a_chunk_larger_than_the_cache_is_dropped_and_counted) {
  put(1);
  put(2, kCapacity + 1);
  cache_->flush();
  EXPECT_FALSE(cache_->contains(id_of(2)));
  EXPECT_TRUE(reads(1));
  EXPECT_EQ(cache_->stats().dropped_puts, 1U);
}

TEST_P(BlockCacheConformance, clear_forgets_everything_and_the_cache_goes_on) {
  put(1);
  cache_->flush();
  put(2);
  cache_->clear();
  EXPECT_FALSE(reads(1));
  EXPECT_FALSE(reads(2));
  EXPECT_EQ(cache_->stats().used_bytes, 0U);
  put(3);
  cache_->flush();
  EXPECT_TRUE(reads(3));
}

TEST_P(BlockCacheConformance, hits_and_misses_are_counted) {
  put(1);
  EXPECT_TRUE(reads(1));
  EXPECT_FALSE(reads(2));
  cache_->flush();
  EXPECT_TRUE(reads_part(1, 4096, 4096));
  EXPECT_EQ(cache_->stats().hits, 2U);
  EXPECT_EQ(cache_->stats().misses, 1U);
}

TEST_P(BlockCacheConformance, readers_see_only_right_bytes_while_others_evict) {
  constexpr size_t kSmall = 200'000;
  constexpr uint64_t kChunks = 300;  // about twice what fits
  std::atomic<bool> done = false;
  std::atomic<uint64_t> answered = 0;
  std::vector<std::thread> readers;
  for (uint64_t i = 0; i < 8; ++i) {
    readers.emplace_back([&, i] {
      SeededRandom random(test_seed() + i);
      while (!done) {
        if (reads_part(random.next_u64() % kChunks, random.next_u64() % 100'000, 70'000, kSmall)) ++answered;
      }
    });
  }
  for (uint64_t round = 0; round < 2 || answered < 100; ++round) {
    for (uint64_t seed = 0; seed < kChunks; ++seed) put(seed, kSmall);
    cache_->flush();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(cache_->stats().corrupt, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Each, BlockCacheConformance,
    testing::Values(Kind{"lmdb", make_lmdb},
                    Kind{"memory", [](const std::string&) { return std::make_unique<MemoryBlockCache>(kCapacity); }}),
    [](const auto& cache) { return cache.param.name; });

}  // namespace
}  // namespace cairn
