// copy_file_range(2): which bytes arrive, and what they cost.
#include <random>

#include "store/format/keys.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

constexpr size_t kChunk = 64U << 10;  // TestStore's

std::string text(size_t size, uint64_t seed) {
  const Buffer bytes = random_bytes(size, seed);
  return {reinterpret_cast<const char*>(bytes.view().data()), bytes.size()};
}

class Copies : public OneHost {
 protected:
  Result<size_t> copy(HandleId from, uint64_t from_offset, HandleId to, uint64_t offset, uint64_t length) {
    return host.files().copy(from, from_offset, to, offset, length, test_context());
  }
  // As cp(1) does it, in calls of at most `step` bytes.
  void copy_file(const std::string& from, const std::string& to, uint64_t step = 1 << 30) {
    const HandleId source = open(from, O_RDONLY);
    const HandleId target = open(to, O_WRONLY | O_CREAT | O_TRUNC);
    uint64_t at = 0;
    while (true) {
      const auto count = copy(source, at, target, at, step);
      ASSERT_TRUE(count) << count.error().to_string();
      if (*count == 0) break;
      at += *count;
    }
    EXPECT_TRUE(host.close(target));
    EXPECT_TRUE(host.close(source));
  }
  uint64_t moved() {
    return objects.count(ObjectOperation::get, keys::kChunks) + objects.count(ObjectOperation::get, keys::kManifests) +
           objects.count(ObjectOperation::put_if_absent, keys::kChunks) +
           objects.count(ObjectOperation::put_if_absent, keys::kManifests);
  }
};

TEST_F(Copies, a_copy_of_a_whole_file_costs_no_chunk_whatever_the_calls) {
  const std::string content = text(20 * kChunk + 33, 1);
  write("m", content);
  host.restart();  // nothing is cached
  ASSERT_EQ(stat("m").size_bytes, content.size());
  objects.reset_counts();
  copy_file("m", "whole");
  copy_file("m", "pieces", 3 * kChunk + 1);
  EXPECT_EQ(moved(), 1U);  // the chunk list, once: the copy takes over which chunks there are
  EXPECT_EQ(host.counters().fetched_bytes, 0U);
  EXPECT_EQ(read("whole"), content);
  EXPECT_EQ(read("pieces"), content);
}

TEST_F(Copies, an_old_version_comes_back_for_nothing_also_over_the_file_itself) {
  const std::string first = text(5 * kChunk, 1);
  write("m", first);
  write("m", text(6 * kChunk, 2));
  host.restart();
  ASSERT_EQ(stat(".versions/m/1").size_bytes, first.size());
  objects.reset_counts();
  copy_file(".versions/m/1", "m");
  EXPECT_EQ(moved(), 0U);
  EXPECT_EQ(read("m"), first);
  EXPECT_EQ(read(".versions/m/3"), first);
}

TEST_F(Copies, unpublished_bytes_are_copied_as_they_are) {
  write("m", text(2 * kChunk, 1));
  const HandleId writer = open("m", O_RDWR);
  ASSERT_TRUE(host.pwrite(writer, 100, "not published"));
  const std::string now = content_or_error(host.read(writer));
  copy_file("m", "copy");
  EXPECT_EQ(read("copy"), now);
  EXPECT_TRUE(host.close(writer));
}

TEST_F(Copies, what_is_written_into_a_copy_is_the_copys) {
  const std::string content = text(4 * kChunk, 1);
  write("m", content);
  copy_file("m", "copy");
  const HandleId writer = open("copy", O_RDWR);
  ASSERT_TRUE(host.pwrite(writer, kChunk + 5, "changed"));
  ASSERT_TRUE(host.close(writer));
  EXPECT_EQ(read("m"), content);
  EXPECT_EQ(read("copy"), std::string(content).replace(kChunk + 5, 7, "changed"));
}

TEST_F(Copies, a_terabyte_of_holes_is_copied_at_once_and_stays_holes) {
  constexpr uint64_t kSize = 1ULL << 40;
  const HandleId writer = open("sparse", O_RDWR | O_CREAT);
  ASSERT_TRUE(host.pwrite(writer, kSize - 5, "ender"));
  ASSERT_TRUE(host.pwrite(writer, 0, "begin"));
  ASSERT_TRUE(host.close(writer));
  copy_file("sparse", "same place", uint64_t{1} << 38);
  EXPECT_EQ(stat("same place").size_bytes, kSize);
  EXPECT_EQ(stat("same place").blocks_512, stat("sparse").blocks_512);

  const HandleId source = open("sparse", O_RDONLY);
  const HandleId target = open("elsewhere", O_RDWR | O_CREAT);
  uint64_t done = 0;
  while (done < kSize) {
    const auto count = copy(source, done, target, done + 7, kSize - done);
    ASSERT_TRUE(count) << count.error().to_string();
    ASSERT_GT(*count, 0U);
    done += *count;
  }
  std::string end(5, ' ');
  auto* bytes = reinterpret_cast<std::byte*>(end.data());
  ASSERT_TRUE(host.files().read(target, kSize + 2, {bytes, end.size()}, test_context()));
  EXPECT_EQ(end, "ender");
  EXPECT_TRUE(host.close(target));
  EXPECT_LT(stat("elsewhere").blocks_512, 1000U);
}

TEST_F(Copies, a_failed_close_keeps_a_copy_like_any_draft) {
  const std::string content = text(3 * kChunk, 1);
  write("m", content);
  const HandleId source = open("m", O_RDONLY);
  const HandleId target = open("copy", O_WRONLY | O_CREAT);
  ASSERT_TRUE(copy(source, 0, target, 0, content.size()));
  objects.add({.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .times = kEveryTime});
  EXPECT_FALSE(host.close(target));
  EXPECT_TRUE(host.close(source));
  host.kill_and_restart();
  objects.heal();
  for (const UnpublishedFile& kept : host.files().unpublished()) {
    (void)host.files().publish_kept(kept.number, test_context());
  }
  EXPECT_EQ(read("copy"), content);
}

TEST_F(Copies, what_cannot_be_is_refused) {
  write("m", "0123456789");
  write("log", "old");
  const HandleId source = open("m", O_RDWR);
  const HandleId reader = open("m", O_RDONLY);
  const HandleId appender = open("log", O_WRONLY | O_APPEND);
  EXPECT_EQ(errno_of(copy(source, 0, appender, 0, 5)), EBADF);
  EXPECT_EQ(errno_of(copy(source, 0, reader, 0, 5)), EBADF);
  EXPECT_EQ(errno_of(copy(source, 0, source, 4, 5)), EINVAL);
  EXPECT_EQ(errno_of(copy(source, 4, source, 4, 1)), EINVAL);
  EXPECT_EQ(errno_of(copy(source, 0, source, uint64_t{1} << 62, ~uint64_t{0})), EFBIG);
  EXPECT_EQ(copy(source, 10, source, 0, 5).value(), 0U);
  EXPECT_EQ(copy(source, 0, source, 5, 5).value(), 5U);
  EXPECT_EQ(content_or_error(host.read(source)), "0123401234");
  for (const HandleId handle : {source, reader, appender}) EXPECT_TRUE(host.close(handle));
}

TEST_F(Copies, any_copies_and_writes_give_what_strings_give) {
  std::mt19937_64 random(test_seed());
  const auto below = [&](uint64_t end) { return random() % end; };
  std::vector<std::string> expected;
  for (uint64_t i = 0; i < 3; ++i) {
    expected.push_back(text(below(6 * kChunk), i));
    write(std::to_string(i), expected[i]);
  }
  for (int step = 0; step < 400; ++step) {
    const uint64_t from = below(3);
    const uint64_t to = below(3);
    if (from == to) continue;
    const bool anew = below(3) == 0;
    const HandleId source = open(std::to_string(from), O_RDONLY);
    const HandleId target = open(std::to_string(to), O_RDWR | (anew ? O_TRUNC : 0));
    if (anew) expected[to].clear();
    for (uint64_t i = below(4); i > 0; --i) {
      const uint64_t at = below(4) == 0 ? 0 : below(expected[from].size() + 10);
      const uint64_t offset = below(2) == 0 ? at : below(expected[to].size() + 1000);
      const uint64_t length = below(3) == 0 ? 10 * kChunk : below(3 * kChunk);
      const auto count = copy(source, at, target, offset, length);
      ASSERT_TRUE(count) << count.error().to_string();
      const std::string bytes = at < expected[from].size() ? expected[from].substr(at, length) : "";
      ASSERT_EQ(*count, bytes.size());
      if (bytes.empty()) continue;
      if (expected[to].size() < offset + bytes.size()) expected[to].resize(offset + bytes.size());
      expected[to].replace(offset, bytes.size(), bytes);
      if (below(3) != 0) continue;
      const uint64_t place = below(expected[to].size());
      expected[to].replace(place, 1, "x");
      ASSERT_TRUE(host.pwrite(target, place, "x"));
    }
    ASSERT_TRUE(host.close(target));
    ASSERT_TRUE(host.close(source));
    ASSERT_EQ(read(std::to_string(to)), expected[to]);
  }
}

}  // namespace
}  // namespace cairn
