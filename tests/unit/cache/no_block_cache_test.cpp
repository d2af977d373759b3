#include "cache/no_block_cache.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(NoBlockCache, keeps_nothing_and_counts_every_read_as_a_miss) {
  NoBlockCache cache;
  const ChunkId id = sha256(as_bytes("chunk"));
  cache.put(id, std::make_shared<Buffer>(Buffer::copy_of(as_bytes("bytes"))));
  Buffer out(5);
  EXPECT_FALSE(cache.contains(id));
  EXPECT_FALSE(cache.read(id, 0, out.mutable_view()));
  EXPECT_EQ(cache.stats().misses, 1U);
  EXPECT_EQ(cache.stats().chunks, 0U);
}

}  // namespace
}  // namespace cairn
