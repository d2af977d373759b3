#include "store/codec/chunk_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <random>

#include "store/codec/byte_planes.h"
#include "tests/support/damage.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr int kLevel = 1;
constexpr size_t kChunkBytes = 1U << 20;

// Weights as networks have them, of any arithmetic type; kDropBytes low bytes are cut off (2 of a float: bf16).
template <class T, size_t kDropBytes = 0>
Buffer weights(size_t count) {
  std::mt19937 random(42);
  std::normal_distribution<T> normal(0, static_cast<T>(0.02));
  constexpr size_t kWidth = sizeof(T) - kDropBytes;
  Buffer buffer(count * kWidth);
  for (size_t i = 0; i < count; ++i) {
    const T value = normal(random);
    std::memcpy(buffer.data() + i * kWidth, reinterpret_cast<const std::byte*>(&value) + kDropBytes, kWidth);
  }
  return buffer;
}

ChunkEncoding encoding_of(const Buffer& object) { return static_cast<ChunkEncoding>(object.data()[5]); }
size_t width_of(const Buffer& object) { return std::to_integer<size_t>(object.data()[6]); }

void expect_round_trip(ByteView plain) {
  const Buffer object = encode_chunk(plain, kLevel);
  const bool is_raw = encoding_of(object) == ChunkEncoding::raw;
  EXPECT_EQ(decoding_bytes(object.view(), static_cast<uint32_t>(plain.size())),
            is_raw ? 0 : plain.size() * (width_of(object) > 1 ? 2 : 1));
  const auto back = decode_chunk(Buffer::copy_of(object.view()), static_cast<uint32_t>(plain.size()));
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_TRUE(std::ranges::equal(back->view(), plain));
}

RC_GTEST_PROP(ChunkCodec, any_bytes_round_trip, (const std::vector<uint8_t>& pattern, uint16_t repeats)) {
  RC_PRE(!pattern.empty());
  Buffer plain(std::min<size_t>(pattern.size() * (repeats % 500 + 1), 4U << 20));
  for (size_t i = 0; i < plain.size(); ++i) plain.data()[i] = std::byte{pattern[i % pattern.size()]};
  const Buffer object = encode_chunk(plain.view(), kLevel);
  const auto back = decode_chunk(Buffer::copy_of(object.view()), static_cast<uint32_t>(plain.size()));
  RC_ASSERT(back.has_value());
  RC_ASSERT(std::ranges::equal(back->view(), plain.view()));
  RC_ASSERT(object.size() <= plain.size() + kChunkHeaderBytes);
}

RC_GTEST_PROP(BytePlanes, any_length_joins_to_what_was_split, (const std::vector<uint8_t>& bytes)) {
  const ByteView plain = std::as_bytes(std::span(bytes));
  for (const size_t width : {2U, 4U, 8U}) {
    Buffer planes(plain.size()), joined(plain.size());
    split_planes(plain, width, planes.mutable_view());
    join_planes(planes.view(), width, joined.mutable_view());
    RC_ASSERT(std::ranges::equal(joined.view(), plain));
  }
}

TEST(BytePlanes, plane_holds_the_bytes_of_one_place) {
  Buffer plain(4 * 100 + 3), planes(plain.size());
  for (size_t i = 0; i < plain.size(); ++i) plain.data()[i] = static_cast<std::byte>(i % 4 * 64 + i / 4 % 64);
  split_planes(plain.view(), 4, planes.mutable_view());
  for (size_t i = 0; i < 400; ++i) ASSERT_EQ(planes.data()[i % 4 * 100 + i / 4], plain.data()[i]) << i;
  EXPECT_EQ(planes.data()[402], plain.data()[402]);
}

TEST(ChunkCodec, noise_is_kept_raw) {
  const Buffer plain = random_bytes(kChunkBytes, 1);
  const Buffer object = encode_chunk(plain.view(), kLevel);
  EXPECT_EQ(encoding_of(object), ChunkEncoding::raw);
  EXPECT_EQ(object.size(), kChunkBytes + kChunkHeaderBytes);
  expect_round_trip(plain.view());
}

TEST(ChunkCodec, text_is_compressed_as_it_is) {
  std::string text;
  for (unsigned i = 0; text.size() < kChunkBytes; ++i) {
    text += "line " + std::to_string(i * i * 7919 % 100'003) + " of a log" + std::string(i % 11, '.') + "\n";
  }
  EXPECT_EQ(encoding_of(encode_chunk(as_bytes(text), kLevel)), ChunkEncoding::zstd);
  expect_round_trip(as_bytes(text));
}

TEST(ChunkCodec, element_width_of_floats_is_found_in_the_bytes) {
  const Buffer fp32 = weights<float>(kChunkBytes / 4);
  const Buffer bf16 = weights<float, 2>(kChunkBytes / 2);
  const Buffer fp64 = weights<double>(kChunkBytes / 8);
  for (const auto& [plain, width] : {std::pair(&fp32, 4U), std::pair(&bf16, 2U), std::pair(&fp64, 8U)}) {
    const Buffer object = encode_chunk(plain->view(), kLevel);
    EXPECT_EQ(encoding_of(object), ChunkEncoding::planes_zstd);
    EXPECT_EQ(width_of(object), width);
    expect_round_trip(plain->view());
  }
}

TEST(ChunkCodec, planes_save_more_than_zstd_alone_would) {
  EXPECT_LT(encode_chunk(weights<float>(kChunkBytes / 4).view(), kLevel).size(), kChunkBytes * 87 / 100);
  EXPECT_LT(encode_chunk(weights<float, 2>(kChunkBytes / 2).view(), kLevel).size(), kChunkBytes * 72 / 100);
}

TEST(ChunkCodec, odd_lengths_round_trip) {
  const Buffer plain = weights<float>(100'000);
  for (const size_t size : {1U, 7U, 17U, 65'537U, 399'999U}) expect_round_trip(plain.view().first(size));
}

TEST(ChunkCodec, same_bytes_give_the_same_object) {
  const Buffer plain = weights<float>(100'000);
  EXPECT_TRUE(std::ranges::equal(encode_chunk(plain.view(), kLevel).view(), encode_chunk(plain.view(), kLevel).view()));
}

// Digests are the caller's: what is asked of the codec is to survive, and never to answer with another size.
TEST(ChunkCodec, damage_gives_an_error_or_bytes_of_the_right_size) {
  const Buffer plain = weights<float>(5'000);
  const Buffer object = encode_chunk(plain.view(), kLevel);
  for_each_damage(object.view(), [&](ByteView damaged, size_t where) {
    const auto decoded = decode_chunk(Buffer::copy_of(damaged), static_cast<uint32_t>(plain.size()));
    if (decoded) {
      EXPECT_EQ(decoded->size(), plain.size());
    } else {
      EXPECT_TRUE(decoded.error().code() == Errc::corrupt || where == 4 || where == 5) << decoded.error().to_string();
    }
  });
}

TEST(ChunkCodec, every_truncation_is_corrupt) {
  const Buffer object = encode_chunk(as_bytes("hello, hello, hello, hello"), kLevel);
  for (size_t size = 0; size < object.size(); ++size) {
    EXPECT_EQ(decode_chunk(Buffer::copy_of(object.view().first(size)), 26).error().code(), Errc::corrupt) << size;
  }
}

TEST(ChunkCodec, chunk_of_another_size_is_corrupt) {
  const Buffer object = encode_chunk(as_bytes("hello"), kLevel);
  EXPECT_EQ(decode_chunk(Buffer::copy_of(object.view()), 4).error().code(), Errc::corrupt);
}

TEST(ChunkCodec, encoding_of_a_newer_version_is_unsupported) {
  Buffer object = encode_chunk(as_bytes("hello"), kLevel);
  object.data()[5] = std::byte{77};
  EXPECT_EQ(decode_chunk(Buffer::copy_of(object.view()), 5).error().code(), Errc::unsupported);
  object.data()[4] = std::byte{2};
  EXPECT_EQ(decode_chunk(Buffer::copy_of(object.view()), 5).error().code(), Errc::unsupported);
}

}  // namespace
}  // namespace cairn
