// Images on the disk: what they answer, what survives, who goes, and what is not believed.
#include "cache/images/disk_image_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/wait.h"
#include "cache/disk_staging_area.h"
#include "cache/memory_block_cache.h"
#include "tests/support/fake_clock.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kChunk = 1 << 20;

// A file's content: chunks of `seeds`, one behind the other from `begin` on.
struct Content {
  uint64_t size_bytes = 0;
  ChunkList chunks;
  std::vector<uint64_t> seeds;

  Content(const std::vector<uint64_t>& of, uint64_t begin = 0, uint32_t chunk_bytes = kChunk) : seeds(of) {
    std::vector<ChunkRef> list;
    uint64_t at = begin;
    for (const uint64_t seed : of) {
      const Buffer plain = random_bytes(chunk_bytes, seed);
      list.push_back({at, chunk_bytes, sha256(plain.view()), xxh3_128(plain.view())});
      at += chunk_bytes;
    }
    size_bytes = at;
    chunks = std::make_shared<const std::vector<ChunkRef>>(std::move(list));
  }

  [[nodiscard]] const ChunkRef& chunk(size_t i) const { return (*chunks)[i]; }
  [[nodiscard]] SharedBuffer plain(size_t i) const {
    return std::make_shared<const Buffer>(random_bytes(chunk(i).size, seeds[i]));
  }
};

class DiskImageCacheTest : public testing::Test {
 protected:
  std::unique_ptr<DiskImageCache> open_cache(uint64_t capacity = 64 << 20, BlockCache* blocks = nullptr,
                                             uint32_t care = 0) {
    auto cache = DiskImageCache::open({.path = path(),
                                       .capacity_bytes = capacity,
                                       .least_bytes = 2 << 20,
                                       .care = care,
                                       .blocks = blocks,
                                       .clock = &clock_});
    EXPECT_TRUE(cache) << cache.error().to_string();
    return std::move(*cache);
  }
  static ImagePtr open_image(ImageCache& cache, const Content& content) {
    return cache.open(content.size_bytes, content.chunks);
  }
  static void put_all(Image& image, const Content& content) {
    for (size_t i = 0; i < content.seeds.size(); ++i) image.put(content.chunk(i), content.plain(i));
  }
  static void bring(ImageCache& cache, const Content& content) {
    put_all(*open_image(cache, content), content);
    cache.flush();
  }
  // Whether the cache answers for the chunk, which must then be with the right bytes: as a whole, and in part.
  static bool reads(ImageCache& cache, const Content& content, size_t i) {
    const SharedBuffer right = content.plain(i);
    Buffer part(1000);
    if (!cache.read(content.chunk(i), 5000, part.mutable_view())) return false;
    EXPECT_TRUE(std::ranges::equal(part.view(), right->view().subspan(5000, 1000)));
    Buffer whole = Buffer::placed(right->size(), content.chunk(i).offset % Buffer::kPageBytes);
    if (!cache.read(content.chunk(i), 0, whole.mutable_view())) return false;
    EXPECT_TRUE(std::ranges::equal(whole.view(), right->view()));
    return true;
  }
  // What a reader of the file itself gets.
  static std::string bytes_of(const UniqueFd& file, uint64_t size) {
    std::string bytes(size + 1, '\0');
    const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return bytes;
  }
  static std::string expected_of(const Content& content) {
    std::string bytes(content.chunk(0).offset, '\0');
    for (size_t i = 0; i < content.seeds.size(); ++i) bytes += as_text(content.plain(i)->view());
    return bytes;
  }
  [[nodiscard]] std::vector<fs::path> files(const std::string& suffix) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path() + "/images")) {
      if (entry.path().extension() == suffix) found.push_back(entry.path());
    }
    return found;
  }
  static void flip_a_bit(const fs::path& file, uint64_t offset) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    const auto byte = static_cast<char>(stream.get() ^ 0x10);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.put(byte);
  }
  [[nodiscard]] std::string path() const { return directory_.path().string(); }

  TemporaryDirectory directory_;
  FakeClock clock_;
};

TEST_F(DiskImageCacheTest, AnswersWithWhatWasPutAndIsWholeOnceAllOfItIsThere) {
  const auto cache = open_cache();
  const Content content({1, 2, 3});
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

// Tensors begin anywhere: neither offsets, nor sizes, nor memory need fit the disk's blocks.
TEST_F(DiskImageCacheTest, ChunksMayLieAnywhere) {
  const auto cache = open_cache();
  for (const uint64_t begin : {1U, 511U, 4095U, 4097U, 70001U}) {
    const Content content({begin, begin + 100000, begin + 200000}, begin, kChunk + 12345);
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
  EXPECT_EQ(open_image(*cache, Content({1})), nullptr);
  EXPECT_EQ(cache->open(1ULL << 40, std::make_shared<const std::vector<ChunkRef>>()), nullptr) << "a hole alone";
}

TEST_F(DiskImageCacheTest, WhatIsNotThatChunkIsNotTaken) {
  const auto cache = open_cache();
  const Content content({1, 2});
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
  const Content content({1, 2, 3}, 4000);
  bring(*open_cache(), content);
  const auto cache = open_cache();
  EXPECT_EQ(cache->stats().used_bytes, 3U * kChunk);
  const auto file = open_image(*cache, content)->whole();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(bytes_of(*file, content.size_bytes), expected_of(content));
}

TEST_F(DiskImageCacheTest, APartSurvivesARestartAndIsCheckedBeforeItIsBelieved) {
  const Content content({1, 2, 3});
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

// As after a power loss between the bytes and the map: all is there, and nobody vouches for it.
TEST_F(DiskImageCacheTest, WhatWasNotNotedAsWholeIsCheckedBeforeItIsGivenToAnybody) {
  const Content content({1, 2, 3});
  bring(*open_cache(), content);
  std::string text;
  {
    std::ifstream in(files(".map").at(0), std::ios::binary);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  auto map = parse_image_map(text);
  ASSERT_TRUE(map);
  EXPECT_TRUE(map->is_whole);
  map->is_whole = false;
  for (const bool is_damaged : {false, true}) {
    std::ofstream(files(".map").at(0), std::ios::binary | std::ios::trunc) << encode_image_map(*map);
    if (is_damaged) flip_a_bit(files(".data").at(0), 2 * kChunk + 1);
    const auto cache = open_cache();
    const ImagePtr image = open_image(*cache, content);
    cache->flush();
    EXPECT_EQ(image->whole() == nullptr, is_damaged);
    EXPECT_EQ(cache->stats().corrupt_chunks, is_damaged ? 1U : 0U);
  }
}

TEST_F(DiskImageCacheTest, AKilledProcessLeavesWhatItsMapsKnow) {
  const Content whole({1, 2, 3});
  const pid_t child = ::fork();
  if (child == 0) {
    auto* const cache = open_cache().release();
    bring(*cache, whole);
    open_image(*cache, Content({7, 8}))->put(Content({7, 8}).chunk(0), Content({7, 8}).plain(0));
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto cache = open_cache();
  EXPECT_NE(open_image(*cache, whole)->whole(), nullptr);
  EXPECT_EQ(files(".data").size(), files(".map").size()) << "data without a map is removed";
}

TEST_F(DiskImageCacheTest, WhatIsUsedLeastGoesFirstAndNeverWhatSomebodyHolds) {
  const auto cache = open_cache(7 * kChunk);
  const Content first({1, 2, 3});
  const Content second({4, 5, 6});
  const Content third({7, 8, 9});
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
  const Content content({1, 2, 3});
  bring(*cache, content);
  const auto file = open_image(*cache, content)->whole();
  bring(*cache, Content({4, 5, 6}));
  EXPECT_FALSE(reads(*cache, content, 0));
  EXPECT_EQ(bytes_of(*file, content.size_bytes), expected_of(content));
}

TEST_F(DiskImageCacheTest, BlocksAndImagesShareOneCapacity) {
  MemoryBlockCache blocks(64 << 20);
  const auto cache = open_cache(8 * kChunk, &blocks);
  bring(*cache, Content({1, 2, 3}));
  for (uint64_t seed = 50; seed < 56; ++seed) {
    const Buffer bytes = random_bytes(kChunk, seed);
    blocks.put(sha256(bytes.view()), std::make_shared<const Buffer>(random_bytes(kChunk, seed)));
  }
  bring(*cache, Content({4, 5}));
  EXPECT_LE(cache->stats().used_bytes + blocks.stats().used_bytes, 8U * kChunk);
  EXPECT_EQ(cache->stats().evicted_images, 1U);
}

TEST_F(DiskImageCacheTest, ChunksThatAnotherImageOrABlockHasAreTakenFromThere) {
  MemoryBlockCache blocks(64 << 20);
  const auto cache = open_cache(64 << 20, &blocks);
  const Content before({1, 2, 3});
  const Content after({3, 9, 1, 4}, 333);
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
  const Content content({1, 2, 3}, 10000);
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

TEST_F(DiskImageCacheTest, AFlippedBitIsFoundByTheScrubAndByWholeReads) {
  const auto cache = open_cache();
  const Content content({1, 2, 3});
  bring(*cache, content);
  flip_a_bit(files(".data").at(0), kChunk + 99);
  clock_.advance(std::chrono::hours(1));
  const SteadyTime before = clock_.steady_now();
  uint64_t asked = 0;
  EXPECT_TRUE(cache->scrub_one(before, [&](uint64_t bytes) { return (asked += bytes) != 0; }));
  EXPECT_EQ(asked, 3U * kChunk);
  EXPECT_EQ(cache->stats().corrupt_chunks, 1U);
  EXPECT_EQ(open_image(*cache, content)->whole(), nullptr);
  EXPECT_FALSE(cache->contains(content.chunk(1).id));
  EXPECT_TRUE(reads(*cache, content, 2));
  EXPECT_FALSE(cache->scrub_one(before, [](uint64_t) { return true; })) << "none is left to look at";
}

TEST_F(DiskImageCacheTest, WhatWasPutWithLessCareIsForgotten) {
  const Content content({1, 2, 3});
  bring(*open_cache(), content);
  EXPECT_FALSE(reads(*open_cache(64 << 20, nullptr, 1), content, 0));
  EXPECT_TRUE(files(".data").empty());
}

TEST_F(DiskImageCacheTest, DamagedMapsCostTheirImagesAndNothingElse) {
  const Content sound({1, 2, 3});
  const Content damaged({4, 5, 6});
  {
    const auto cache = open_cache();
    bring(*cache, sound);
    bring(*cache, damaged);
  }
  std::vector<fs::path> maps = files(".map");
  std::ranges::sort(maps);
  fs::resize_file(maps.at(1), 77);
  std::ofstream(path() + "/images/17.data") << "nobody's";
  const auto cache = open_cache();
  EXPECT_TRUE(reads(*cache, sound, 1));
  EXPECT_FALSE(reads(*cache, damaged, 1));
  EXPECT_EQ(files(".data").size(), 1U);
}

TEST_F(DiskImageCacheTest, FilesThatSomebodyRemovesCostTheirChunks) {
  const auto cache = open_cache();
  const Content content({1, 2, 3});
  bring(*cache, content);
  fs::remove(files(".data").at(0));
  EXPECT_FALSE(reads(*cache, content, 0));
  EXPECT_EQ(open_image(*cache, content)->whole(), nullptr);
}

TEST_F(DiskImageCacheTest, ManyImagesHaveFewDescriptors) {
  const auto open_descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const auto cache = open_cache(1 << 30);
  const auto before = open_descriptors();
  std::vector<ImagePtr> held;
  for (uint64_t i = 0; i < 150; ++i) {
    const Content content({1, 2, 1000 + i});
    held.push_back(open_image(*cache, content));
    held.back()->put(content.chunk(2), content.plain(2));
  }
  cache->flush();
  EXPECT_LE(open_descriptors() - before, 3 * 64);
}

TEST_F(DiskImageCacheTest, AFileOfEqualChunksCostsNoMoreThanAnother) {
  const auto cache = open_cache(1ULL << 40);
  std::vector<ChunkRef> equal;
  const Buffer plain = random_bytes(64, 1);
  for (uint64_t i = 0; i < 200000; ++i) equal.push_back({64 * i, 64, sha256(plain.view()), xxh3_128(plain.view())});
  const auto chunks = std::make_shared<const std::vector<ChunkRef>>(equal);
  const auto area = DiskStagingArea::open(path(), 0);
  ASSERT_TRUE(area);
  const SteadyTime begin = system_clock().steady_now();
  {
    const ImagePtr image = cache->open(64 * equal.size(), chunks);
    auto staged = (*area)->create(0);
    ASSERT_TRUE(staged);
    EXPECT_TRUE(image->adopt(**staged, [](const ChunkRef&) { return true; }));
  }
  cache->flush();
  cache->clear();
  EXPECT_EQ(cache->stats().images, 0U);
  EXPECT_LT(system_clock().steady_now() - begin, std::chrono::seconds(20));
}

TEST_F(DiskImageCacheTest, AFileThatIsTooLargeForTheDiskStopsNoOthers) {
  const auto cache = open_cache();
  const Content huge({1, 2}, 1ULL << 62);
  bring(*cache, huge);
  EXPECT_FALSE(reads(*cache, huge, 0));
  const Content other({3, 4, 5});
  bring(*cache, other);
  EXPECT_TRUE(reads(*cache, other, 2));
}

TEST_F(DiskImageCacheTest, AnEmptiedDirectoryIsBegunAnew) {
  const auto cache = open_cache();
  const Content content({1, 2, 3});
  bring(*cache, content);
  fs::remove_all(path() + "/images");
  for (int i = 0; i < 300 && (!fs::exists(path() + "/images/lock") || cache->stats().images > 0); ++i) {
    (void)pause(std::chrono::milliseconds(20), test_context());
  }
  EXPECT_EQ(cache->stats().used_bytes, 0U);
  bring(*cache, content);
  EXPECT_TRUE(reads(*cache, content, 1));
  EXPECT_FALSE(DiskImageCache::open({.path = path(), .capacity_bytes = 64 << 20})) << "it is this process's again";
}

TEST_F(DiskImageCacheTest, ACopyOfTheDataIsNotBelievedUnseen) {
  const Content content({1, 2, 3});
  bring(*open_cache(), content);
  const fs::path data = files(".data").at(0);
  fs::copy_file(data, data.string() + ".copy");
  fs::rename(data.string() + ".copy", data);
  flip_a_bit(data, kChunk + 5);
  const auto cache = open_cache();
  const ImagePtr image = open_image(*cache, content);
  cache->flush();
  EXPECT_EQ(image->whole(), nullptr);
}

TEST_F(DiskImageCacheTest, TheOrderOfUseSurvivesARestart) {
  const Content first({1, 2, 3});
  const Content second({4, 5, 6});
  {
    const auto cache = open_cache();
    bring(*cache, first);
    bring(*cache, second);
    (void)pause(std::chrono::milliseconds(20), test_context());
    open_image(*cache, first);
  }
  const auto cache = open_cache(7 * kChunk);
  bring(*cache, Content({7, 8, 9}));
  EXPECT_TRUE(reads(*cache, first, 0));
  EXPECT_FALSE(reads(*cache, second, 0));
}

TEST_F(DiskImageCacheTest, OneProcessAtATime) {
  const auto cache = open_cache();
  const auto second = DiskImageCache::open({.path = path(), .capacity_bytes = 64 << 20});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::conflict);
}

TEST_F(DiskImageCacheTest, AFullDiskGivesWayAndThenTakesNothing) {
  if (::mount("cairn-test", path().c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=8m") != 0) {
    GTEST_SKIP() << "may not mount: a full disk cannot be made";
  }
  {
    const auto cache = open_cache(1 << 30);
    bring(*cache, Content({1, 2, 3}));
    bring(*cache, Content({4, 5, 6}));
    const Content third({7, 8, 9});
    bring(*cache, third);
    EXPECT_TRUE(reads(*cache, third, 2)) << "an older image gave way";
    const Content large({11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
    bring(*cache, large);
    EXPECT_GT(cache->stats().dropped_chunks, 0U);
    EXPECT_TRUE(reads(*cache, large, 0));
  }
  ::umount2(path().c_str(), MNT_DETACH);
}

TEST(ImageMap, IsReadBackAsItWasWritten) {
  const Content content({1, 2, 3}, 12345);
  ImageMap map{.care = 3,
               .size_bytes = content.size_bytes + 7,
               .is_whole = false,
               .chunks = content.chunks,
               .present = {true, false, true}};
  const auto parsed = parse_image_map(encode_image_map(map));
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  EXPECT_EQ(parsed->care, 3U);
  EXPECT_EQ(parsed->size_bytes, map.size_bytes);
  EXPECT_EQ(*parsed->chunks, *content.chunks);
  EXPECT_EQ(parsed->present, map.present);
}

TEST(ImageMap, RefusesWhatIsCutOrChanged) {
  const Content content({1, 2});
  const std::string bytes = encode_image_map(
      {.size_bytes = content.size_bytes, .is_whole = true, .chunks = content.chunks, .present = {true, true}});
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(parse_image_map(bytes.substr(0, size)));
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x20);
    EXPECT_FALSE(parse_image_map(changed)) << "byte " << i;
  }
}

}  // namespace
}  // namespace cairn
