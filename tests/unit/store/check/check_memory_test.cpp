// What a check of a forged store takes.
#include <malloc.h>

#include <fstream>

#include "tests/unit/store/check/check_fixture.h"

namespace cairn {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kMemories = 16;  // a sanitizer takes several times what it watches
#elif defined(__has_feature)
constexpr uint64_t kMemories = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ? 16 : 2;
#else
constexpr uint64_t kMemories = 2;
#endif

// Somebody who can write to the store has put objects there that say much in few bytes.
class CheckMemoryTest : public CheckTest {
 protected:
  static constexpr uint64_t kMemory = 64U << 20;

  // A directory of many names, each with a file that has not been written.
  void put_large_directory(size_t names, EntryId id = 0xbad00000) {
    DirectoryChanges changes;
    for (size_t i = 0; i < names; ++i) changes[fmt::format("{:08}", i)] = file((id << 20) + i, {});
    put_directory(id, std::move(changes));
    change(kRootId, {{id == 0xbad00000 ? "large" : fmt::format("{:x}", id), directory(id)}});
  }
  // How much more than before was resident at once, at most, while it ran.
  template <class What>
  static uint64_t growth(const What& what) {
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5";  // forgets VmHWM
    const uint64_t before = status_bytes("VmRSS:");
    what();
    return status_bytes("VmHWM:") - before;
  }
  static uint64_t status_bytes(const std::string& name) {
    std::ifstream status("/proc/self/status");
    uint64_t kib = 0;
    for (std::string word; status >> word && word != name;) {
    }
    status >> kib;
    return kib << 10;
  }
  Result<CheckReport> check_within(uint64_t memory) {
    return check_store(objects_, {.memory_bytes = memory, .progress = {}}, test_context());
  }
};

TEST_F(CheckMemoryTest, a_directory_that_takes_too_much_is_a_finding_and_the_others_are_checked) {
  put_large_directory(300'000);
  Result<CheckReport> report = fail(Errc::io, "not checked");
  const uint64_t grown = growth([&] { report = check_within(kMemory); });
  EXPECT_LT(grown, kMemories * kMemory);
  ASSERT_TRUE(report) << report.error().to_string();
  ASSERT_EQ(report->findings.size(), 1U);
  EXPECT_EQ(report->findings[0].path, "/large");
  EXPECT_THAT(report->findings[0].message, testing::HasSubstr("--memory"));
  EXPECT_EQ(report->files, 2U);
}

TEST_F(CheckMemoryTest, one_that_is_larger_than_its_share_is_read_alone) {
  put_large_directory(10'000);
  const auto report = check_within(kMemory);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_TRUE(report->clean());
  EXPECT_EQ(report->files, 10'002U);
}

TEST_F(CheckMemoryTest, a_chunk_list_that_takes_too_much_is_a_finding) {
  std::vector<ChunkRef> chunks;
  for (uint64_t i = 0; i < 400'000; ++i) chunks.push_back({i * kChunkSize, kChunkSize, weights_->chunks()[0].id, {}});
  const auto encoded = encode_manifest(*manifest_of(std::move(chunks)), kChunkSize);
  ASSERT_TRUE(encoded);
  put(keys::manifest(encoded->id), encoded->object.view());
  Version version;
  version.size_bytes = 400'000ULL * kChunkSize;
  version.content = encoded->id;
  change(kRootId, {{"forged", file(0xbad, {std::make_shared<const Version>(version)})}});
  Result<CheckReport> report = fail(Errc::io, "not checked");
  const uint64_t grown = growth([&] { report = check_within(kMemory / 4); });
  EXPECT_LT(grown, kMemories * kMemory / 4);
  ASSERT_TRUE(report) << report.error().to_string();
  ASSERT_EQ(report->findings.size(), 1U);
  EXPECT_EQ(report->findings[0].path, "/forged");
}

TEST_F(CheckMemoryTest, a_store_of_more_than_can_be_remembered_is_not_checked) {
  for (EntryId id = 0xbad00000; id < 0xbad00000 + 40; ++id) put_large_directory(400, id);
  const auto report = check_within(2U << 20);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), Errc::no_space);
  EXPECT_THAT(report.error().message(), testing::HasSubstr("--memory"));
}

TEST_F(CheckMemoryTest, directories_far_below_each_other_have_short_paths) {
  constexpr EntryId kDeep = 0x100000;
  constexpr EntryId kLevels = 2000;
  const std::string name(200, 'd');
  for (EntryId level = 0; level < kLevels; ++level)
    put_directory(kDeep + level, {{name, directory(kDeep + level + 1)}});
  change(kRootId, {{"deep", directory(kDeep)}});
  const auto report = check_within(kMemory);  // the last is missing
  ASSERT_TRUE(report) << report.error().to_string();
  ASSERT_EQ(report->findings.size(), 1U);
  EXPECT_LT(report->findings[0].path.size(), 5000U);
}

}  // namespace
}  // namespace cairn
