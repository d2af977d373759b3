// Images on the disk: what they answer, what survives, and who goes.
#include "cache/images/disk_image_cache.h"

#include "base/wait.h"
#include "cache/disk_staging_area.h"
#include "cache/memory_block_cache.h"
#include "tests/unit/cache/images/image_fixture.h"

namespace cairn {
namespace {

TEST_F(DiskImageCacheTest, AnswersWithWhatWasPutAndIsWholeOnceAllOfItIsThere) {
  const auto cache = open_cache();
  const ImageContent content({1, 2, 3});
  const ImagePtr image = open_image(*cache, content);
  image->put(content.chunk(0), content.plain(0));
  image->put(content.chunk(2), content.plain(2));
  EXPECT_TRUE(reads(*cache, content, 0));
  cache->flush();
  EXPECT_TRUE(reads(*cache, content, 0));
  EXPECT_FALSE(reads(*cache, content, 1));
  EXPECT_TRUE(image->contains(content.chunk(2)));
  EXPECT_EQ(image->whole(), nullptr);
  image->put(content.chunk(1), content.plain(1));
  cache->flush();
  const auto file = image->whole();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(bytes_of(*file, content.size_bytes), expected_of(content));
  EXPECT_LT(::pwrite(file->get(), "x", 1, 0), 0) << "what is given away can only be read";
  EXPECT_EQ(cache->stats().whole_images, 1U);
  EXPECT_EQ(cache->stats().used_bytes, 3U * kChunk);
}

TEST_F(DiskImageCacheTest, ChunksMayLieAnywhere) {
  const auto cache = open_cache();
  for (const uint64_t begin : {1U, 511U, 4095U, 4097U, 70001U}) {
    const ImageContent content({begin, begin + 100000, begin + 200000}, begin, kChunk + 12345);
    const ImagePtr image = open_image(*cache, content);
    for (size_t i = 0; i < content.seeds.size(); ++i) {
      Buffer placed = Buffer::placed(content.chunk(i).size, content.chunk(i).offset % Buffer::kPageBytes);
      std::ranges::copy(content.plain(i)->view(), placed.data());
      image->put(content.chunk(i), i == 1 ? content.plain(i) : std::make_shared<const Buffer>(std::move(placed)));
    }
    cache->flush();
    const auto file = image->whole();
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(bytes_of(*file, content.size_bytes), expected_of(content));
    for (size_t i = 0; i < content.seeds.size(); ++i) EXPECT_TRUE(reads(*cache, content, i));
  }
}

TEST_F(DiskImageCacheTest, SmallFilesHaveNone) {
  const auto cache = open_cache();
  EXPECT_EQ(open_image(*cache, ImageContent({1})), nullptr);
  EXPECT_EQ(cache->open(1ULL << 40, std::make_shared<const std::vector<ChunkRef>>()), nullptr) << "a hole alone";
}

TEST_F(DiskImageCacheTest, WhatIsNotThatChunkIsNotTaken) {
  const auto cache = open_cache();
  const ImageContent content({1, 2});
  const ImagePtr image = open_image(*cache, content);
  ChunkRef elsewhere = content.chunk(1);
  elsewhere.offset += 1;
  image->put(elsewhere, content.plain(1));
  image->put(content.chunk(1), std::make_shared<const Buffer>(random_bytes(77, 1)));
  cache->flush();
  EXPECT_EQ(cache->stats().used_bytes, 0U);
  EXPECT_FALSE(reads(*cache, content, 1));
}

TEST_F(DiskImageCacheTest, AnImageSurvivesARestartWhole) {
  const ImageContent content({1, 2, 3}, 4000);
  bring(*open_cache(), content);
  const auto cache = open_cache();
  EXPECT_EQ(cache->stats().used_bytes, 3U * kChunk);
  const auto file = open_image(*cache, content)->whole();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(bytes_of(*file, content.size_bytes), expected_of(content));
}

TEST_F(DiskImageCacheTest, APartSurvivesARestartAndIsCheckedBeforeItIsBelieved) {
  const ImageContent content({1, 2, 3});
  {
    const auto cache = open_cache();
    const ImagePtr image = open_image(*cache, content);
    image->put(content.chunk(0), content.plain(0));
    image->put(content.chunk(1), content.plain(1));
  }
  flip_a_bit(files(".data").at(0), kChunk + 17);
  const auto cache = open_cache();
  const ImagePtr image = open_image(*cache, content);
  EXPECT_TRUE(reads(*cache, content, 0));
  Buffer part(10);
  EXPECT_FALSE(cache->read(content.chunk(1), 500000, part.mutable_view())) << "the damage is elsewhere in the chunk";
  EXPECT_EQ(cache->stats().corrupt_chunks, 1U);
  put_all(*image, content);
  cache->flush();
  ASSERT_NE(image->whole(), nullptr);
  EXPECT_EQ(bytes_of(*image->whole(), content.size_bytes), expected_of(content));
}

TEST_F(DiskImageCacheTest, WhatIsUsedLeastGoesFirstAndNeverWhatSomebodyHolds) {
  const auto cache = open_cache(7 * kChunk);
  const ImageContent first({1, 2, 3});
  const ImageContent second({4, 5, 6});
  const ImageContent third({7, 8, 9});
  bring(*cache, first);
  bring(*cache, second);
  open_image(*cache, first);  // used again
  bring(*cache, third);
  EXPECT_TRUE(reads(*cache, first, 0));
  EXPECT_FALSE(reads(*cache, second, 0));
  EXPECT_TRUE(reads(*cache, third, 2));
  EXPECT_EQ(cache->stats().evicted_images, 1U);
  EXPECT_EQ(files(".data").size(), 2U);
  const ImagePtr held = open_image(*cache, first);
  const ImagePtr held_too = open_image(*cache, third);
  const auto file = held->whole();
  bring(*cache, second);
  EXPECT_TRUE(reads(*cache, second, 0)) << "one chunk had room beside those that are held";
  EXPECT_FALSE(reads(*cache, second, 1));
  EXPECT_EQ(cache->stats().dropped_chunks, 2U);
  EXPECT_EQ(bytes_of(*file, first.size_bytes), expected_of(first));
}

TEST_F(DiskImageCacheTest, WhoHasAnEvictedImageOpenGoesOnReading) {
  const auto cache = open_cache(3 * kChunk);
  const ImageContent content({1, 2, 3});
  bring(*cache, content);
  const auto file = open_image(*cache, content)->whole();
  bring(*cache, ImageContent({4, 5, 6}));
  EXPECT_FALSE(reads(*cache, content, 0));
  EXPECT_EQ(bytes_of(*file, content.size_bytes), expected_of(content));
}

TEST_F(DiskImageCacheTest, BlocksAndImagesShareOneCapacity) {
  MemoryBlockCache blocks(64 << 20);
  const auto cache = open_cache(8 * kChunk, &blocks);
  bring(*cache, ImageContent({1, 2, 3}));
  for (uint64_t seed = 50; seed < 56; ++seed) {
    const Buffer bytes = random_bytes(kChunk, seed);
    blocks.put(sha256(bytes.view()), std::make_shared<const Buffer>(random_bytes(kChunk, seed)));
  }
  bring(*cache, ImageContent({4, 5}));
  EXPECT_LE(cache->stats().used_bytes + blocks.stats().used_bytes, 8U * kChunk);
  EXPECT_EQ(cache->stats().evicted_images, 1U);
}

TEST_F(DiskImageCacheTest, ChunksThatAnotherImageOrABlockHasAreTakenFromThere) {
  MemoryBlockCache blocks(64 << 20);
  const auto cache = open_cache(64 << 20, &blocks);
  const ImageContent before({1, 2, 3});
  const ImageContent after({3, 9, 1, 4}, 333);
  bring(*cache, before);
  blocks.put(after.chunk(3).id, after.plain(3));
  EXPECT_TRUE(reads(*cache, after, 0)) << "from the other image";
  open_image(*cache, after)->put(after.chunk(1), after.plain(1));
  cache->flush();
  const ImagePtr image = open_image(*cache, after);
  ASSERT_NE(image->whole(), nullptr) << "the rest was here";
  EXPECT_EQ(bytes_of(*image->whole(), after.size_bytes), expected_of(after));
}

TEST_F(DiskImageCacheTest, AStagingFileBecomesTheImageWithoutACopy) {
  const auto cache = open_cache();
  const auto area = DiskStagingArea::open(path(), 0);
  ASSERT_TRUE(area);
  const ImageContent content({1, 2, 3}, 10000);
  const ImagePtr image = open_image(*cache, content);
  auto staged = (*area)->create(0);
  ASSERT_TRUE(staged);
  const std::string stale(content.size_bytes + 5000, 'x');  // also where the content has a hole, and past its end
  ASSERT_EQ(::pwrite((*staged)->fd(), stale.data(), stale.size(), 0), static_cast<ssize_t>(stale.size()));
  for (const size_t i : {size_t{0}, size_t{2}}) {
    ASSERT_EQ(::pwrite((*staged)->fd(), content.plain(i)->data(), kChunk, static_cast<off_t>(content.chunk(i).offset)),
              kChunk);
  }
  EXPECT_TRUE(image->adopt(**staged, [&](const ChunkRef& chunk) { return chunk != content.chunk(1); }));
  staged->reset();
  EXPECT_TRUE(reads(*cache, content, 0));
  EXPECT_FALSE(reads(*cache, content, 1));
  image->put(content.chunk(1), content.plain(1));
  cache->flush();
  ASSERT_NE(image->whole(), nullptr);
  EXPECT_EQ(bytes_of(*image->whole(), content.size_bytes), expected_of(content));
  auto another = (*area)->create(0);
  ASSERT_TRUE(another);
  EXPECT_FALSE(image->adopt(**another, [](const ChunkRef&) { return true; })) << "it has its bytes";
}

TEST_F(DiskImageCacheTest, WhatWasPutWithLessCareIsForgotten) {
  const ImageContent content({1, 2, 3});
  bring(*open_cache(), content);
  EXPECT_FALSE(reads(*open_cache(64 << 20, nullptr, 1), content, 0));
  EXPECT_TRUE(files(".data").empty());
}

TEST_F(DiskImageCacheTest, TheOrderOfUseSurvivesARestart) {
  const ImageContent first({1, 2, 3});
  const ImageContent second({4, 5, 6});
  {
    const auto cache = open_cache();
    bring(*cache, first);
    bring(*cache, second);
    (void)pause(std::chrono::milliseconds(20), test_context());
    open_image(*cache, first);
  }
  const auto cache = open_cache(7 * kChunk);
  bring(*cache, ImageContent({7, 8, 9}));
  EXPECT_TRUE(reads(*cache, first, 0));
  EXPECT_FALSE(reads(*cache, second, 0));
}

}  // namespace
}  // namespace cairn
