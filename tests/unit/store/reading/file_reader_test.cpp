#include "store/reading/file_reader.h"

#include <gtest/gtest.h>

#include "store/chunks/manifest_objects.h"
#include "tests/support/faulty_object_store.h"
#include "tests/unit/store/stored_files.h"

namespace cairn {
namespace {

constexpr uint32_t kChunk = 64U << 10;

class FileReaderTest : public testing::Test {
 protected:
  Result<std::shared_ptr<FileReader>> open(VersionPtr version) {
    return FileReader::open(host_.environment(), reader_, std::move(version), test_context());
  }
  static std::vector<std::byte> read(FileReader& file, uint64_t offset, size_t size) {
    std::vector<std::byte> out(size);
    out.resize(file.read(offset, out, test_context()).value());
    return out;
  }
  // Chunk, hole of one and a half chunks, chunk, hole of half a chunk.
  VersionPtr put_sparse_file() {
    const Buffer bytes = random_bytes(2 * kChunk, 1);
    const ChunkRef first = put_chunk(store_.objects(), 0, bytes.view().first(kChunk));
    const ChunkRef second = put_chunk(store_.objects(), 5 * kChunk / 2, bytes.view().subspan(kChunk));
    return version_of(std::make_shared<const Manifest>(4 * kChunk, std::vector{first, second}), 4 * kChunk);
  }

  TestStore store_{kChunk};
  FaultyObjectStore remote_{store_.objects()};
  TestEnvironment host_{remote_};
  ChunkReader reader_{host_.environment()};
};

TEST_F(FileReaderTest, reads_span_chunks_and_end_with_the_file) {
  const Buffer content = random_bytes(3 * kChunk + 1000, 1);
  const auto file = open(put_file(store_, content.view())).value();
  EXPECT_EQ(read(*file, 0, content.size() + 5), to_vector(content.view()));
  EXPECT_EQ(read(*file, kChunk - 10, 20), to_vector(content.view().subspan(kChunk - 10, 20)));
  EXPECT_EQ(read(*file, content.size() - 5, 100).size(), 5U);
  EXPECT_TRUE(read(*file, content.size(), 100).empty());
  EXPECT_TRUE(read(*file, ~0ULL, 100).empty());
  EXPECT_TRUE(read(*file, 0, 0).empty());
}

TEST_F(FileReaderTest, a_read_of_several_chunks_fetches_them_at_the_same_time) {
  const auto file = open(put_file(store_, random_bytes(3 * kChunk, 1).view())).value();
  auto gate = std::make_shared<Gate>();
  remote_.add({.operation = ObjectOperation::get,
               .key_prefix = keys::kChunks,
               .times = kEveryTime,
               .effect = FaultEffect::block,
               .gate = gate});
  std::thread reader([&] { EXPECT_EQ(read(*file, 0, 3 * kChunk).size(), 3 * kChunk); });
  EXPECT_TRUE(gate->wait_for_arrivals(3));
  gate->open();
  reader.join();
}

TEST_F(FileReaderTest, holes_read_as_zeros) {
  const auto file = open(put_sparse_file()).value();
  const Buffer bytes = random_bytes(2 * kChunk, 1);
  std::vector<std::byte> expected(4 * kChunk);
  std::memcpy(expected.data(), bytes.data(), kChunk);
  std::memcpy(expected.data() + 5 * kChunk / 2, bytes.data() + kChunk, kChunk);
  EXPECT_EQ(read(*file, 0, 4 * kChunk), expected);
  EXPECT_EQ(read(*file, kChunk + 5, 10), std::vector<std::byte>(10));
  EXPECT_EQ(read(*file, 4 * kChunk - 5, 10), std::vector<std::byte>(5));
}

TEST_F(FileReaderTest, data_and_holes_are_found_as_lseek_finds_them) {
  const auto file = open(put_sparse_file()).value();
  EXPECT_EQ(file->seek_data(10), 10U);
  EXPECT_EQ(file->seek_hole(10), kChunk);
  EXPECT_EQ(file->seek_data(kChunk), 5U * kChunk / 2);
  EXPECT_EQ(file->seek_hole(kChunk + 5), kChunk + 5U);
  EXPECT_EQ(file->seek_hole(3 * kChunk), 7U * kChunk / 2);
  EXPECT_EQ(file->seek_data(7 * kChunk / 2), std::nullopt);
  EXPECT_EQ(file->seek_hole(4 * kChunk), std::nullopt);
}

TEST_F(FileReaderTest, inline_content_needs_no_store) {
  const Buffer bytes = random_bytes(100, 1);
  const auto file = open(version_of(std::make_shared<const Buffer>(Buffer::copy_of(bytes.view())), 100)).value();
  const uint64_t before = remote_.count();
  EXPECT_TRUE(file->is_inline());
  EXPECT_EQ(read(*file, 10, 200), to_vector(bytes.view().subspan(10)));
  EXPECT_EQ(file->seek_hole(0), 100U);
  EXPECT_EQ(remote_.count(), before);
}

TEST_F(FileReaderTest, an_empty_version_is_an_empty_file) {
  const auto file = open(version_of(SharedBuffer(), 0)).value();
  EXPECT_EQ(file->size_bytes(), 0U);
  EXPECT_TRUE(read(*file, 0, 10).empty());
}

TEST_F(FileReaderTest, a_file_with_a_manifest_object_opens_again_without_the_store) {
  const Buffer content = random_bytes(3 * kChunk, 1);
  const auto listed = put_file(store_, content.view());
  TestEnvironment writer(store_, {.host = "host-b"});
  const auto& manifest = *std::get<ManifestPtr>(listed->content);
  const Digest id = put_manifest(writer.environment(), manifest, test_context()).value();
  const auto version = version_of(id, content.size());
  EXPECT_EQ(read(*open(version).value(), 0, content.size()), to_vector(content.view()));
  reader_.drop_memory();
  remote_.add({.times = kEveryTime});
  EXPECT_EQ(read(*open(version).value(), 0, content.size()), to_vector(content.view()));
}

TEST_F(FileReaderTest, content_of_another_size_than_the_version_says_is_corrupt) {
  EXPECT_EQ(open(version_of(std::make_shared<const Manifest>(), 10)).error().code(), Errc::corrupt);
  EXPECT_EQ(open(version_of(std::make_shared<const Buffer>(5), 10)).error().code(), Errc::corrupt);
}

TEST_F(FileReaderTest, a_damaged_manifest_object_is_corrupt_and_counted) {
  const Digest id = put_manifest(host_.environment(), Manifest(kChunk, {}), test_context()).value();
  host_.cache().clear();
  remote_.add({.operation = ObjectOperation::get, .key_prefix = keys::kManifests, .effect = FaultEffect::flip_bit});
  EXPECT_EQ(open(version_of(id, kChunk)).error().code(), Errc::corrupt);
  EXPECT_EQ(host_.counters().corrupt_objects, 1U);
}

}  // namespace
}  // namespace cairn
