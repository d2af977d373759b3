// Images whose disk, directory, maps or users do what they should not.
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/wait.h"
#include "cache/disk_staging_area.h"
#include "tests/unit/cache/images/image_fixture.h"

namespace cairn {
namespace {

// Tensors begin anywhere: neither offsets, nor sizes, nor memory need fit the disk's blocks.
// As after a power loss between the bytes and the map: all is there, and nobody vouches for it.
TEST_F(DiskImageCacheTest, WhatWasNotNotedAsWholeIsCheckedBeforeItIsGivenToAnybody) {
  const ImageContent content({1, 2, 3});
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
  const ImageContent whole({1, 2, 3});
  const pid_t child = ::fork();
  if (child == 0) {
    auto* const cache = open_cache().release();
    bring(*cache, whole);
    open_image(*cache, ImageContent({7, 8}))->put(ImageContent({7, 8}).chunk(0), ImageContent({7, 8}).plain(0));
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto cache = open_cache();
  EXPECT_NE(open_image(*cache, whole)->whole(), nullptr);
  EXPECT_EQ(files(".data").size(), files(".map").size()) << "data without a map is removed";
}

// Somebody who reads the same content under another name puts a chunk while the staging file is being taken over.
class WithAPutMeanwhile final : public StagingFile {
 public:
  WithAPutMeanwhile(std::unique_ptr<StagingFile> file, std::function<void()> put)
      : file_(std::move(file)), put_(std::move(put)) {}
  [[nodiscard]] int fd() const override { return file_->fd(); }
  [[nodiscard]] uint64_t number() const override { return file_->number(); }
  Result<void> note(std::string_view text) override { return file_->note(text); }
  Result<void> log(uint64_t position, ByteView record) override { return file_->log(position, record); }
  Result<void> keep(std::string_view text) override { return file_->keep(text); }
  Result<void> keep_briefly(std::string_view text) override { return file_->keep_briefly(text); }
  void count(uint64_t bytes) override { file_->count(bytes); }
  [[nodiscard]] uint32_t user() const override { return file_->user(); }
  void belongs_to(uint32_t user) override { file_->belongs_to(user); }
  Result<void> move_to(const std::string& path) override {
    auto moved = file_->move_to(path);
    put_();
    return moved;
  }
  void release() override { file_->release(); }

 private:
  const std::unique_ptr<StagingFile> file_;
  const std::function<void()> put_;
};

TEST_F(DiskImageCacheTest, TwoAdoptionsAtOnceStayWithinTheCapacity) {
  const auto cache = open_cache(4 * kChunk);
  const auto area = DiskStagingArea::open(path(), 0);
  ASSERT_TRUE(area);
  const ImageContent content({1, 2, 3});
  const ImageContent other({4, 5, 6});
  const ImagePtr image = open_image(*cache, content);
  const ImagePtr other_image = open_image(*cache, other);
  auto staged = (*area)->create(0);
  auto other_staged = (*area)->create(0);
  ASSERT_TRUE(staged && other_staged);
  const auto has_all = [](const ChunkRef&) { return true; };
  WithAPutMeanwhile file(std::move(*staged), [&] { EXPECT_FALSE(other_image->adopt(**other_staged, has_all)); });
  EXPECT_TRUE(image->adopt(file, has_all));
  EXPECT_EQ(cache->stats().used_bytes, 3U * kChunk);
}

TEST_F(DiskImageCacheTest, WhatIsPutWhileAStagingFileIsTakenOverIsNotBelievedAndLost) {
  const auto cache = open_cache();
  const auto area = DiskStagingArea::open(path(), 0);
  ASSERT_TRUE(area);
  const ImageContent content({1, 2, 3});
  const ImagePtr image = open_image(*cache, content);
  const ImagePtr other = open_image(*cache, content);
  auto staged = (*area)->create(0);
  ASSERT_TRUE(staged);
  ASSERT_EQ(::pwrite((*staged)->fd(), content.plain(0)->data(), kChunk, 0), kChunk);
  WithAPutMeanwhile file(std::move(*staged), [&] {
    other->put(content.chunk(1), content.plain(1));
    (void)pause(std::chrono::milliseconds(50), test_context());  // long enough to be written, were it taken
  });
  EXPECT_TRUE(image->adopt(file, [&](const ChunkRef& chunk) { return chunk == content.chunk(0); }));
  put_all(*other, content);
  cache->flush();
  ASSERT_NE(image->whole(), nullptr);
  EXPECT_EQ(bytes_of(*image->whole(), content.size_bytes), expected_of(content));
}

TEST_F(DiskImageCacheTest, AFlippedBitIsFoundByTheScrubAndByWholeReads) {
  const auto cache = open_cache();
  const ImageContent content({1, 2, 3});
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

TEST_F(DiskImageCacheTest, DamagedMapsCostTheirImagesAndNothingElse) {
  const ImageContent sound({1, 2, 3});
  const ImageContent damaged({4, 5, 6});
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
  const ImageContent content({1, 2, 3});
  bring(*open_cache(), content);
  const auto cache = open_cache();
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
    const ImageContent content({1, 2, 1000 + i});
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
  const ImageContent huge({1, 2}, 1ULL << 62);
  bring(*cache, huge);
  EXPECT_FALSE(reads(*cache, huge, 0));
  const ImageContent other({3, 4, 5});
  bring(*cache, other);
  EXPECT_TRUE(reads(*cache, other, 2));
}

TEST_F(DiskImageCacheTest, AnEmptiedDirectoryIsBegunAnew) {
  const auto cache = open_cache();
  const ImageContent content({1, 2, 3});
  bring(*cache, content);
  fs::remove_all(path() + "/images");
  for (int i = 0; i < 300 && cache->stats().images > 0; ++i) {
    (void)pause(std::chrono::milliseconds(20), test_context());
  }
  EXPECT_EQ(cache->stats().used_bytes, 0U);
  for (int i = 0; i < 300 && cache->stats().used_bytes < 3 * kChunk; ++i) {
    bring(*cache, content);  // nothing is taken until the directory is there, and locked
    (void)pause(std::chrono::milliseconds(20), test_context());
  }
  EXPECT_TRUE(reads(*cache, content, 1));
  EXPECT_FALSE(DiskImageCache::open({.path = path(), .capacity_bytes = 64 << 20})) << "it is this process's again";
}

TEST_F(DiskImageCacheTest, ACopyOfTheDataIsNotBelievedUnseen) {
  const ImageContent content({1, 2, 3});
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
    bring(*cache, ImageContent({1, 2, 3}));
    bring(*cache, ImageContent({4, 5, 6}));
    const ImageContent third({7, 8, 9});
    bring(*cache, third);
    EXPECT_TRUE(reads(*cache, third, 2)) << "an older image gave way";
    const ImageContent large({11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
    bring(*cache, large);
    EXPECT_GT(cache->stats().dropped_chunks, 0U);
    EXPECT_TRUE(reads(*cache, large, 0));
  }
  ::umount2(path().c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace cairn
