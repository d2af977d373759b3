#include "store/format/load_profile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "store/format/envelope.h"
#include "store/format/format.pb.h"
#include "store/format/messages.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

// A profile as anybody may write it.
Buffer forged(const std::vector<int64_t>& starts, const std::vector<uint32_t>& lengths) {
  format::LoadProfile proto;
  for (const int64_t start : starts) proto.add_starts(start);
  for (const uint32_t length : lengths) proto.add_lengths(length);
  return wrap_envelope(kProfileMagic, serialize(proto).value().view()).value();
}

Errc error_of(const Buffer& object, size_t chunks) {
  const auto order = decode_load_profile(object.view(), chunks);
  return order ? Errc::io : order.error().code();
}

TEST(LoadProfile, any_order_comes_back) {
  std::mt19937_64 random(test_seed());
  for (const size_t chunks : {0U, 1U, 2U, 100U, 5000U}) {
    LoadOrder order(chunks);
    std::iota(order.begin(), order.end(), 0U);
    std::shuffle(order.begin(), order.end(), random);
    order.resize(chunks - chunks / 10);
    const auto object = encode_load_profile(order);
    ASSERT_TRUE(object);
    EXPECT_EQ(decode_load_profile(object->view(), chunks).value(), order);
  }
}

TEST(LoadProfile, whole_tensors_take_a_few_bytes_each) {
  LoadOrder order;
  for (uint32_t tensor = 1000; tensor-- > 0;) {
    for (uint32_t i = 0; i < 8; ++i) order.push_back(tensor * 8 + i);
  }
  EXPECT_EQ(count_runs(order), 1000U);
  EXPECT_LE(encode_load_profile(order)->size(), 3100U);
}

TEST(LoadProfile, one_that_is_not_of_the_versions_chunks_is_corrupt) {
  EXPECT_EQ(decode_load_profile(forged({2, -3}, {2, 1}).view(), 4).value(), (LoadOrder{2, 3, 1}));
  EXPECT_EQ(error_of(forged({2}, {3}), 4), Errc::corrupt) << "past the end";
  EXPECT_EQ(error_of(forged({-1}, {1}), 4), Errc::corrupt) << "before the start";
  EXPECT_EQ(error_of(forged({4}, {1}), 4), Errc::corrupt);
  EXPECT_EQ(error_of(forged({0, -1}, {2, 1}), 4), Errc::corrupt) << "twice";
  EXPECT_EQ(error_of(forged({0}, {0}), 4), Errc::corrupt) << "a run of nothing";
  EXPECT_EQ(error_of(forged({0, 0}, {1}), 4), Errc::corrupt) << "starts without lengths";
  const int64_t most = std::numeric_limits<int64_t>::max();
  const uint32_t longest = std::numeric_limits<uint32_t>::max();
  EXPECT_EQ(error_of(forged({most, most}, {longest, longest}), 4), Errc::corrupt);
  EXPECT_EQ(error_of(forged({1, std::numeric_limits<int64_t>::min()}, {1, 1}), 4), Errc::corrupt);
}

TEST(LoadProfile, damage_and_newer_versions_are_told_apart) {
  const auto object = encode_load_profile({3, 1, 2});
  Buffer damaged = Buffer::copy_of(object->view());
  damaged.data()[damaged.size() - 40] ^= std::byte{1};
  EXPECT_EQ(error_of(damaged, 4), Errc::corrupt);
  Buffer newer = Buffer::copy_of(object->view());
  newer.data()[4] = std::byte{9};
  EXPECT_EQ(error_of(newer, 4), Errc::unsupported);
}

TEST(LoadProfile, an_order_that_takes_more_than_a_mebibyte_is_not_written) {
  LoadOrder order;
  for (uint32_t i = 0; i < 400'000; ++i) order.push_back(i % 2 == 0 ? i : 1'000'000 - i);
  const auto object = encode_load_profile(order);
  ASSERT_FALSE(object);
  EXPECT_EQ(object.error().code(), Errc::no_space);
}

}  // namespace
}  // namespace cairn
