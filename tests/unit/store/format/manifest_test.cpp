#include "store/format/manifest.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "store/format/format.pb.h"
#include "store/format/manifest_codec.h"
#include "store/format/record.h"
#include "tests/support/damage.h"

namespace cairn {
namespace {

constexpr uint32_t kChunkSize = 64U << 10;

ChunkRef chunk_at(uint64_t offset, uint32_t size) {
  const std::string seed = std::to_string(offset);
  return {.offset = offset, .size = size, .id = sha256(as_bytes(seed)), .checksum = xxh3_128(as_bytes(seed))};
}

// Chunks of generated sizes with generated holes between them.
Manifest generated(const std::vector<std::pair<uint32_t, uint32_t>>& holes_and_sizes) {
  std::vector<ChunkRef> chunks;
  uint64_t at = 0;
  for (const auto& [hole, size] : holes_and_sizes) {
    at += hole % 3 == 0 ? 0 : hole % 100'000;
    const uint32_t bytes = size % 3 == 0 ? kChunkSize : size % kChunkSize + 1;
    chunks.push_back(chunk_at(at, bytes));
    at += bytes;
  }
  return {at + 17, std::move(chunks)};
}

RC_GTEST_PROP(Manifest, any_chunk_list_round_trips, (const std::vector<std::pair<uint32_t, uint32_t>>& shape)) {
  const Manifest manifest = generated(shape);
  const auto back = read_manifest(write_manifest(manifest, kChunkSize), kChunkSize);
  RC_ASSERT(back.has_value());
  RC_ASSERT(back->size_bytes() == manifest.size_bytes());
  RC_ASSERT(back->chunks() == manifest.chunks());
}

RC_GTEST_PROP(Manifest, index_at_finds_the_first_chunk_that_ends_later,
              (const std::vector<std::pair<uint32_t, uint32_t>>& shape, uint64_t wanted)) {
  const Manifest manifest = generated(shape);
  const uint64_t offset = wanted % (manifest.size_bytes() + 1);
  size_t expected = 0;
  while (expected < manifest.chunks().size() && manifest.chunks()[expected].end() <= offset) ++expected;
  RC_ASSERT(manifest.index_at(offset) == expected);
}

TEST(Manifest, whole_chunks_in_a_row_are_one_segment) {
  const Manifest manifest(2 * kChunkSize + 5,
                          {chunk_at(0, kChunkSize), chunk_at(kChunkSize, kChunkSize), chunk_at(2 * kChunkSize, 5)});
  EXPECT_EQ(write_manifest(manifest, kChunkSize).segments_size(), 1);
}

TEST(Manifest, file_of_zeros_is_one_hole) {
  const auto proto = write_manifest(Manifest(1ULL << 40, {}), kChunkSize);
  ASSERT_EQ(proto.segments_size(), 1);
  EXPECT_TRUE(proto.segments(0).hole());
  EXPECT_LT(proto.ByteSizeLong(), 16U);
}

TEST(Manifest, segment_that_is_not_its_number_of_chunks_is_corrupt) {
  format::Manifest proto =
      write_manifest(Manifest(kChunkSize + 1, {chunk_at(0, kChunkSize), chunk_at(kChunkSize, 1)}), kChunkSize);
  const auto refused = [&] {
    const auto manifest = read_manifest(proto, kChunkSize);
    return !manifest && manifest.error().code() == Errc::corrupt;
  };
  ASSERT_FALSE(refused());
  format::Segment* segment = proto.mutable_segments(0);
  const format::Segment intact = *segment;
  for (const uint64_t length : {uint64_t{0}, uint64_t{kChunkSize}, uint64_t{2 * kChunkSize + 1}, ~uint64_t{0}}) {
    segment->set_length(length);
    EXPECT_TRUE(refused()) << length;
  }
  *segment = intact;
  segment->mutable_ids()->pop_back();
  EXPECT_TRUE(refused());
  *segment = intact;
  segment->mutable_checksums()->append("x");
  EXPECT_TRUE(refused());
  *segment = intact;
  segment->set_hole(true);
  EXPECT_TRUE(refused());
}

TEST(Manifest, lengths_that_overflow_a_file_are_corrupt) {
  format::Manifest proto;
  for (int i = 0; i < 3; ++i) {
    proto.add_segments()->set_length(1ULL << 62);
    proto.mutable_segments(i)->set_hole(true);
  }
  EXPECT_EQ(read_manifest(proto, kChunkSize).error().code(), Errc::corrupt);
}

TEST(ManifestObject, equal_chunk_lists_are_equal_objects) {
  const auto first = encode_manifest(generated({{1, 1}, {2, 3}}), kChunkSize);
  const auto second = encode_manifest(generated({{1, 1}, {2, 3}}), kChunkSize);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->id, second->id);
  EXPECT_EQ(as_text(first->object.view()), as_text(second->object.view()));
}

TEST(ManifestObject, round_trips_under_its_own_id_only) {
  const Manifest manifest = generated({{0, 3}, {0, 3}, {7, 3}, {0, 1}});
  const auto encoded = encode_manifest(manifest, kChunkSize);
  ASSERT_TRUE(encoded);
  const auto decoded = decode_manifest(encoded->object.view(), encoded->id, kChunkSize);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->chunks(), manifest.chunks());
  const auto other = decode_manifest(encoded->object.view(), sha256(as_bytes("other")), kChunkSize);
  EXPECT_EQ(other.error().code(), Errc::corrupt);
}

TEST(ManifestObject, damage_is_refused) {
  const auto encoded = encode_manifest(generated({{0, 3}, {9, 1}}), kChunkSize);
  ASSERT_TRUE(encoded);
  for_each_damage(encoded->object.view(), [&](ByteView damaged, size_t where) {
    EXPECT_FALSE(decode_manifest(damaged, encoded->id, kChunkSize)) << where;
  });
}

}  // namespace
}  // namespace cairn
