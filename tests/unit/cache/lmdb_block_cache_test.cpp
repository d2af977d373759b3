// What only the cache on disk promises: restarts, damage, full disks, kills.
#include "cache/lmdb_block_cache.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <latch>
#include <thread>

#include "cache/lmdb_layout.h"
#include "tests/support/test_environment.h"

// LeakSanitizer asks: what LMDB was doing when it met a page that the disk does not give is left behind on purpose.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the name is LeakSanitizer's.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:liblmdb.so\n"; }
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace cairn {
namespace {

#if defined(__SANITIZE_THREAD__)
constexpr bool kIsThreadSanitized = true;
#elif defined(__has_feature)
constexpr bool kIsThreadSanitized = __has_feature(thread_sanitizer);
#else
constexpr bool kIsThreadSanitized = false;
#endif

namespace fs = std::filesystem;

constexpr uint64_t kCapacity = 32 << 20;
constexpr size_t kChunk = 1 << 20;

ChunkId id_of(uint64_t seed) { return sha256(as_bytes("chunk " + std::to_string(seed))); }

void put(BlockCache& cache, uint64_t seed, size_t size = kChunk) {
  cache.put(id_of(seed), std::make_shared<Buffer>(random_bytes(size, seed)));
}
void put_on_disk(BlockCache& cache, uint64_t seed) {
  put(cache, seed);
  cache.flush();
}

// Whether the cache answers, which must then be with the right bytes.
bool reads(BlockCache& cache, uint64_t seed, size_t size = kChunk) {
  Buffer out(size);
  if (!cache.read(id_of(seed), 0, out.mutable_view())) return false;
  EXPECT_TRUE(std::ranges::equal(out.view(), random_bytes(size, seed).view())) << "wrong bytes in chunk " << seed;
  return true;
}

std::unique_ptr<LmdbBlockCache> open_at(const fs::path& path, uint64_t capacity = kCapacity,
                                        const Clock& clock = system_clock()) {
  auto cache = LmdbBlockCache::open({.path = path, .capacity_bytes = capacity, .clock = &clock});
  EXPECT_TRUE(cache) << cache.error().to_string();
  return std::move(*cache);
}

class LmdbBlockCacheTest : public testing::Test {
 protected:
  [[nodiscard]] fs::path data_path() const { return directory_.path() / "blocks/data.mdb"; }

  void fill(uint64_t first, uint64_t last, size_t size = kChunk) {
    auto cache = open_at(directory_.path());
    for (uint64_t seed = first; seed <= last; ++seed) {
      put(*cache, seed, size);
      if (seed % 16 == 0) cache->flush();
    }
  }

  TemporaryDirectory directory_;
};

// --- Start and end ---

TEST_F(LmdbBlockCacheTest, chunks_survive_a_restart) {
  fill(1, 10);
  auto cache = open_at(directory_.path());
  EXPECT_EQ(cache->stats().chunks, 10U);
  for (uint64_t seed = 1; seed <= 10; ++seed) EXPECT_TRUE(reads(*cache, seed)) << seed;
}

TEST_F(LmdbBlockCacheTest, what_was_put_with_less_care_is_forgotten) {
  const auto open_with = [&](uint32_t care) {
    return LmdbBlockCache::open({.path = directory_.path(), .capacity_bytes = kCapacity, .care = care}).value();
  };
  fill(1, 1);  // as a version did that knew no care
  EXPECT_FALSE(reads(*open_with(2), 1));
  put(*open_with(2), 2);
  EXPECT_TRUE(reads(*open_with(1), 2));
  EXPECT_FALSE(reads(*open_with(2), 2)) << "after a mount that checked less";
  put(*open_with(2), 3);
  EXPECT_TRUE(reads(*open_with(0), 3));
  EXPECT_FALSE(reads(*open_with(1), 3));
}

TEST_F(LmdbBlockCacheTest, the_order_of_use_survives_a_restart) {
  fill(1, 10);
  {
    auto cache = open_at(directory_.path());
    EXPECT_TRUE(reads(*cache, 1));
  }
  auto cache = open_at(directory_.path());
  while (cache->contains(id_of(3))) {
    static uint64_t next = 100;
    put(*cache, next++);
    cache->flush();
  }
  EXPECT_TRUE(cache->contains(id_of(1))) << "used after 2 to 10";
  EXPECT_FALSE(cache->contains(id_of(2)));
}

TEST_F(LmdbBlockCacheTest, a_damaged_order_of_use_is_ignored) {
  fill(1, 3);
  std::ofstream(directory_.path() / "blocks/recency") << "not an order of use";
  auto cache = open_at(directory_.path());
  for (uint64_t seed = 1; seed <= 3; ++seed) EXPECT_TRUE(reads(*cache, seed));
}

TEST_F(LmdbBlockCacheTest, the_clean_marker_is_there_only_while_nobody_has_the_cache) {
  const fs::path marker = directory_.path() / "blocks/clean";
  fill(1, 1);
  EXPECT_TRUE(fs::exists(marker));
  auto cache = open_at(directory_.path());
  EXPECT_FALSE(fs::exists(marker));
}

TEST_F(LmdbBlockCacheTest, a_second_open_is_refused_and_told_who_the_first_is) {
  auto cache = open_at(directory_.path());
  auto second = LmdbBlockCache::open({.path = directory_.path(), .capacity_bytes = kCapacity});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::conflict);
  EXPECT_EQ(second.error().message(),
            fmt::format("cache directory '{}' is in use by pid {}: give this mount its own with --cache-dir",
                        directory_.path().string(), ::getpid()));
  cache.reset();
  EXPECT_TRUE(LmdbBlockCache::open({.path = directory_.path(), .capacity_bytes = kCapacity}));
}

TEST_F(LmdbBlockCacheTest, a_holder_that_is_going_is_waited_for) {
  auto cache = open_at(directory_.path());
  std::latch opening(1);
  std::jthread next([&] {
    opening.count_down();
    EXPECT_TRUE(LmdbBlockCache::open({.path = directory_.path(), .capacity_bytes = kCapacity}));
  });
  opening.wait();
  cache.reset();
}

TEST_F(LmdbBlockCacheTest, a_capacity_below_the_minimum_is_refused) {
  auto cache = LmdbBlockCache::open({.path = directory_.path(), .capacity_bytes = 1000});
  ASSERT_FALSE(cache);
  EXPECT_EQ(cache.error().code(), Errc::invalid_argument);
}

TEST_F(LmdbBlockCacheTest, a_chunk_put_with_another_size_replaces_the_stored_one) {
  auto cache = open_at(directory_.path());
  cache->put(id_of(1), std::make_shared<Buffer>(random_bytes(100'000, 7)));
  cache->flush();
  put_on_disk(*cache, 1);
  EXPECT_TRUE(reads(*cache, 1));
  EXPECT_EQ(cache->stats().chunks, 1U);
}

TEST_F(LmdbBlockCacheTest, chunks_beyond_the_queue_are_dropped_and_counted) {
  auto opened =
      LmdbBlockCache::open({.path = directory_.path(), .capacity_bytes = kCapacity, .queue_bytes = kChunk - 1});
  ASSERT_TRUE(opened);
  put(**opened, 1);
  EXPECT_FALSE((*opened)->contains(id_of(1)));
  EXPECT_EQ((*opened)->stats().dropped_puts, 1U);
}

// --- Size ---

TEST_F(LmdbBlockCacheTest, the_file_stays_within_the_capacity_while_ten_times_as_much_goes_through) {
  auto cache = open_at(directory_.path());
  SeededRandom random(test_seed());
  uint64_t put_bytes = 0;
  for (uint64_t seed = 0; put_bytes < 10 * kCapacity; ++seed) {
    const size_t size = 1 + random.next_u64() % (seed % 3 == 0 ? 50'000 : 2 * kChunk);
    put(*cache, seed, size);
    put_bytes += size;
    if (seed % 8 != 0) continue;
    cache->flush();
    ASSERT_LE(fs::file_size(data_path()), kCapacity);
  }
  cache->flush();
  EXPECT_EQ(cache->stats().dropped_puts, 0U);
  EXPECT_GT(cache->stats().used_bytes, kCapacity / 2);
}

TEST_F(LmdbBlockCacheTest, a_smaller_capacity_shrinks_the_file_and_keeps_what_was_used_last) {
  constexpr uint64_t kLarge = 128 << 20;
  {
    auto cache = open_at(directory_.path(), kLarge);
    for (uint64_t seed = 1; seed <= 100; ++seed) {
      put(*cache, seed);
      if (seed % 16 == 0) cache->flush();
    }
  }
  ASSERT_GT(fs::file_size(data_path()), kCapacity);
  auto cache = open_at(directory_.path());
  EXPECT_LE(fs::file_size(data_path()), kCapacity);
  EXPECT_TRUE(reads(*cache, 100));
  EXPECT_FALSE(reads(*cache, 1));
  EXPECT_GT(cache->stats().chunks, 10U);
  EXPECT_LE(cache->stats().used_bytes, kCapacity);
}

// --- Damage ---

void flip_bit(const fs::path& path, uint64_t byte, unsigned bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(byte));
  const int value = file.get();
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(static_cast<char>(value ^ (1 << bit)));
}

// Opens whatever is there, reads, writes and evicts: nothing may crash, and no read may be answered with wrong bytes.
void use_hard(const fs::path& directory, uint64_t chunks, size_t size) {
  static const auto filler = std::make_shared<const Buffer>(random_bytes(4 * kChunk, 0));
  auto cache = open_at(directory);
  for (uint64_t seed = 1; seed <= chunks; ++seed) reads(*cache, seed, size);
  for (uint64_t seed = 1; seed <= chunks; ++seed) put(*cache, seed, size);
  cache->flush();
  for (uint64_t seed = 1000; seed < 1005; ++seed) cache->put(id_of(seed), filler);  // evicts
  cache->flush();
  EXPECT_TRUE(cache->contains(id_of(1004)));
}

TEST_F(LmdbBlockCacheTest, a_flipped_bit_in_a_block_drops_the_chunk_and_is_counted) {
  fill(1, 5);
  flip_bit(data_path(), fs::file_size(data_path()) / 2, 3);
  auto cache = open_at(directory_.path());
  uint64_t answered = 0;
  uint64_t damaged = 0;
  for (uint64_t seed = 1; seed <= 5; ++seed) reads(*cache, seed) ? ++answered : damaged = seed;
  EXPECT_EQ(answered, 4U);
  EXPECT_EQ(cache->stats().corrupt, 1U);
  EXPECT_FALSE(cache->contains(id_of(damaged)));
  put_on_disk(*cache, damaged);
  EXPECT_TRUE(reads(*cache, damaged));
  EXPECT_EQ(cache->stats().corrupt, 1U);
}

TEST_F(LmdbBlockCacheTest, flipped_bits_anywhere_never_give_wrong_bytes_nor_a_crash) {
  constexpr size_t kSize = 150'000;
  fill(1, 12, kSize);
  const fs::path saved = directory_.path() / "saved";
  fs::copy_file(data_path(), saved);
  SeededRandom random(test_seed());
  for (int round = 0; round < 40; ++round) {
    fs::copy_file(saved, data_path(), fs::copy_options::overwrite_existing);
    const uint64_t flips = 1 + random.next_u64() % 8;
    for (uint64_t i = 0; i < flips; ++i) {
      flip_bit(data_path(), random.next_u64() % fs::file_size(saved), static_cast<unsigned>(random.next_u64() % 8));
    }
    use_hard(directory_.path(), 12, kSize);
  }
}

// The first bytes of every page, where one bit decides how LMDB walks the file.
std::vector<uint64_t> structural_pages(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<uint64_t> pages;
  lmdb::PageHeader header{};
  const uint64_t count = fs::file_size(path) / 4096;
  for (uint64_t page = 0; page < count; ++page) {
    file.seekg(static_cast<std::streamoff>(page * 4096));
    file.read(reinterpret_cast<char*>(&header), sizeof header);
    if (header.page_number == page && header.flags != 0 && header.flags < 16) pages.push_back(page);
  }
  return pages;
}

TEST_F(LmdbBlockCacheTest, flipped_bits_in_the_tree_never_give_wrong_bytes_nor_a_crash) {
  constexpr size_t kSize = 150'000;
  fill(1, 12, kSize);
  const fs::path saved = directory_.path() / "saved";
  fs::copy_file(data_path(), saved);
  const auto pages = structural_pages(saved);
  ASSERT_GT(pages.size(), 3U);
  SeededRandom random(test_seed());
  for (int round = 0; round < 100; ++round) {
    fs::copy_file(saved, data_path(), fs::copy_options::overwrite_existing);
    const uint64_t page = pages[random.next_u64() % pages.size()];
    const uint64_t span = round % 2 == 0 ? 200 : 4096;
    flip_bit(data_path(), page * 4096 + random.next_u64() % span, static_cast<unsigned>(random.next_u64() % 8));
    use_hard(directory_.path(), 12, kSize);
  }
}

TEST_F(LmdbBlockCacheTest, a_file_cut_short_anywhere_is_noticed_and_replaced) {
  fill(1, 5);
  const fs::path saved = directory_.path() / "saved";
  fs::copy_file(data_path(), saved);
  const uint64_t full = fs::file_size(saved);
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{100}, uint64_t{4096}, uint64_t{4200}, uint64_t{8192},
                              uint64_t{12288}, full / 2, full - 4096, full - 1}) {
    fs::copy_file(saved, data_path(), fs::copy_options::overwrite_existing);
    fs::resize_file(data_path(), size);
    use_hard(directory_.path(), 5, kChunk);
  }
}

TEST_F(LmdbBlockCacheTest, garbage_instead_of_a_file_is_replaced) {
  fill(1, 2);
  const Buffer garbage = random_bytes(100'000, test_seed());
  std::ofstream(data_path(), std::ios::binary) << as_text(garbage.view());
  auto cache = open_at(directory_.path());
  EXPECT_EQ(cache->stats().chunks, 0U);
  put_on_disk(*cache, 1);
  EXPECT_TRUE(reads(*cache, 1));
}

TEST_F(LmdbBlockCacheTest, a_block_overwritten_while_the_cache_is_open_costs_only_its_chunk) {
  auto cache = open_at(directory_.path());
  for (uint64_t seed = 1; seed <= 10; ++seed) put(*cache, seed);
  cache->flush();
  std::fstream(data_path(), std::ios::in | std::ios::out | std::ios::binary).seekp(40 * 4096).write("damage", 6);
  uint64_t answered = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) answered += reads(*cache, seed) ? 1 : 0;
  EXPECT_EQ(answered, 9U);
}

// --- Full disks and kills ---

// A small tmpfs, unmounted when it goes; mounted() is false where that takes rights we have not got.
class SmallDisk {
 public:
  explicit SmallDisk(fs::path path, const std::string& size) : path_(std::move(path)) {
    fs::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }
  void resize(const std::string& size) const {
    EXPECT_EQ(::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, ("size=" + size).c_str()), 0);
  }

 private:
  fs::path path_;
  bool mounted_ = false;
};

// A page of the map that the disk does not give is a SIGBUS, whether the disk fails or the file ends there by now.
TEST_F(LmdbBlockCacheTest, a_file_cut_short_under_an_open_cache_costs_its_chunks_and_not_the_process) {
  if (kIsThreadSanitized) GTEST_SKIP() << "ThreadSanitizer cannot follow a jump out of a signal's handler";
  const auto cache = open_at(directory_.path());
  for (const uintmax_t left : {uintmax_t{0}, uintmax_t{4096}, uintmax_t{1 << 20}}) {
    for (uint64_t seed = 1; seed <= 8; ++seed) put(*cache, seed);
    cache->flush();
    EXPECT_TRUE(reads(*cache, 1));
    fs::resize_file(data_path(), left);
    for (uint64_t seed = 1; seed <= 8; ++seed) (void)reads(*cache, seed);
    // What finds the damage is lost with it, be it a put or a look.
    bool is_cached = false;
    for (int attempt = 0; attempt < 4 && !is_cached; ++attempt) {
      put_on_disk(*cache, 10);
      is_cached = reads(*cache, 10);
    }
    EXPECT_TRUE(is_cached) << "with " << left << " bytes left";
  }
}

TEST_F(LmdbBlockCacheTest, a_file_that_LMDB_was_left_in_the_middle_of_gives_its_room_back) {
  if (kIsThreadSanitized) GTEST_SKIP() << "ThreadSanitizer cannot follow a jump out of a signal's handler";
  const auto cache = open_at(directory_.path());
  for (uint64_t seed = 1; seed <= 8; ++seed) put(*cache, seed);
  cache->flush();
  fs::resize_file(data_path(), 0);
  for (uint64_t seed = 1; seed <= 8; ++seed) (void)reads(*cache, seed);
  put_on_disk(*cache, 9);
  put_on_disk(*cache, 10);
  ASSERT_TRUE(reads(*cache, 10));
  const std::string removed = data_path().string() + " (deleted)";
  for (const auto& open : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    EXPECT_NE(fs::read_symlink(open, gone).string(), removed);
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) EXPECT_EQ(line.find(removed), std::string::npos) << line;
}

TEST_F(LmdbBlockCacheTest, files_that_somebody_removes_are_made_anew_and_their_room_is_given_back) {
  const auto cache = open_at(directory_.path());
  put_on_disk(*cache, 1);
  uint64_t seed = 1;
  for (const fs::path& removed : {directory_.path() / "blocks", data_path()}) {
    fs::remove_all(removed);
    put(*cache, ++seed);
    cache->flush();
    EXPECT_TRUE(reads(*cache, seed));
    EXPECT_FALSE(reads(*cache, seed - 1));
    EXPECT_TRUE(fs::exists(data_path()));
    EXPECT_FALSE(LmdbBlockCache::open({.path = directory_.path(), .capacity_bytes = kCapacity}));
  }
  for (const auto& open : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    EXPECT_NE(fs::read_symlink(open, gone).string(), data_path().string() + " (deleted)");
  }
}

TEST_F(LmdbBlockCacheTest, a_full_disk_makes_the_cache_smaller_until_there_is_room_again) {
  const fs::path path = directory_.path() / "disk";
  const SmallDisk disk(path, "24m");
  if (!disk.mounted()) GTEST_SKIP() << "cannot mount a tmpfs: needs root";
  FakeClock clock;
  auto cache = open_at(path, 64 << 20, clock);
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    put_on_disk(*cache, seed);
    clock.advance(std::chrono::seconds(1));
  }
  uint64_t answered = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) answered += reads(*cache, seed) ? 1 : 0;
  EXPECT_EQ(answered, cache->stats().chunks);
  EXPECT_LT(answered, 24U);
  EXPECT_EQ(cache->stats().corrupt, 0U);

  disk.resize("200m");
  clock.advance(std::chrono::minutes(2));
  for (uint64_t seed = 101; seed <= 140; ++seed) {
    put_on_disk(*cache, seed);
  }
  for (uint64_t seed = 101; seed <= 140; ++seed) EXPECT_TRUE(reads(*cache, seed)) << seed;
}

TEST_F(LmdbBlockCacheTest, a_disk_that_is_full_from_the_start_gives_a_cache_that_keeps_nothing_yet) {
  const fs::path path = directory_.path() / "disk";
  const SmallDisk disk(path, "24m");
  if (!disk.mounted()) GTEST_SKIP() << "cannot mount a tmpfs: needs root";
  FakeClock clock;
  { auto cache = open_at(path, kCapacity, clock); }
  LmdbBlockTable::remove_files(path / "blocks");
  std::ofstream filler(path / "filler", std::ios::binary);
  const Buffer zeros = random_bytes(1 << 20, 1);
  while (filler << as_text(zeros.view())) filler.flush();
  auto cache = open_at(path, kCapacity, clock);
  put_on_disk(*cache, 1);
  EXPECT_FALSE(reads(*cache, 1));

  filler.close();
  fs::remove(path / "filler");
  clock.advance(std::chrono::minutes(1));
  put_on_disk(*cache, 2);
  EXPECT_TRUE(reads(*cache, 2));
}

// Writes for ever, a byte to `progress` after each ten chunks that are on disk.
[[noreturn]] void write_until_killed(const fs::path& path, int progress) {
  auto cache = open_at(path);
  for (uint64_t seed = 1;; ++seed) {
    put(*cache, seed, 300'000);
    if (seed % 10 != 0) continue;
    cache->flush();
    if (::write(progress, "x", 1) != 1) ::_exit(1);
  }
}

TEST_F(LmdbBlockCacheTest, a_kill_in_the_middle_of_writing_loses_nothing_that_was_flushed) {
  SeededRandom random(test_seed());
  for (int round = 0; round < 8; ++round) {
    const fs::path path = directory_.path() / std::to_string(round);
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) write_until_killed(path, pipe_ends[1]);
    ::close(pipe_ends[1]);
    const uint64_t batches = 1 + random.next_u64() % 4;
    char byte;
    for (uint64_t i = 0; i < batches; ++i) ASSERT_EQ(::read(pipe_ends[0], &byte, 1), 1);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(pipe_ends[0]);

    auto cache = open_at(path);
    for (uint64_t seed = 1; seed <= 10 * batches; ++seed) EXPECT_TRUE(reads(*cache, seed, 300'000)) << seed;
    EXPECT_EQ(cache->stats().corrupt, 0U);
  }
}

}  // namespace
}  // namespace cairn
