#include "store/format/envelope.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/damage.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

Buffer sealed(std::string_view message) { return std::move(*wrap_envelope(kRecordMagic, as_bytes(message))); }

// An envelope whose header says whatever the test wants, under a digest that holds.
Buffer forged(Buffer object, size_t at, uint64_t value) {
  store_le<uint64_t>(value, object.data() + at);
  const Digest digest = sha256(object.view().first(object.size() - sizeof(Digest)));
  std::memcpy(object.data() + object.size() - sizeof(Digest), digest.bytes.data(), sizeof(Digest));
  return object;
}

RC_GTEST_PROP(Envelope, any_message_round_trips, (const std::string& message)) {
  const auto opened = unwrap_envelope(kRecordMagic, sealed(message).view());
  RC_ASSERT(opened.has_value());
  RC_ASSERT(as_text(opened->view()) == message);
}

TEST(Envelope, message_that_does_not_compress_grows_by_the_envelope_only) {
  const Buffer message = random_bytes(10'000, 1);
  const auto object = wrap_envelope(kManifestMagic, message.view());
  ASSERT_TRUE(object);
  EXPECT_EQ(object->size(), message.size() + kEnvelopeBytes);
}

TEST(Envelope, repetitive_message_is_compressed) { EXPECT_LT(sealed(std::string(10'000, 'x')).size(), 200U); }

TEST(Envelope, every_truncation_and_every_flipped_bit_is_refused) {
  const Buffer object = sealed("a record of some length, with some words that come again and again and again");
  for_each_damage(object.view(), [](ByteView damaged, size_t where) {
    const auto opened = unwrap_envelope(kRecordMagic, damaged);
    ASSERT_FALSE(opened) << where;
    // The version byte may have been flipped to a newer one.
    EXPECT_TRUE(opened.error().code() == Errc::corrupt || where == 4) << opened.error().to_string();
  });
}

TEST(Envelope, object_of_another_kind_is_corrupt) {
  EXPECT_EQ(unwrap_envelope(kManifestMagic, sealed("x").view()).error().code(), Errc::corrupt);
}

TEST(Envelope, newer_version_is_unsupported) {
  Buffer object = sealed("x");
  object.data()[4] = std::byte{2};
  EXPECT_EQ(unwrap_envelope(kRecordMagic, object.view()).error().code(), Errc::unsupported);
}

TEST(Envelope, newer_codec_is_unsupported) {
  Buffer object = sealed("x");
  object.data()[5] = std::byte{9};
  EXPECT_EQ(unwrap_envelope(kRecordMagic, forged(std::move(object), 8, 1).view()).error().code(), Errc::unsupported);
}

TEST(Envelope, claimed_size_that_the_payload_cannot_reach_takes_no_memory) {
  const std::string message(100'000, 'x');
  for (const uint64_t claim : {uint64_t{1} << 62, kMaxMessageBytes + 1, kMaxMessageBytes, uint64_t{99'999}}) {
    const auto opened = unwrap_envelope(kRecordMagic, forged(sealed(message), 8, claim).view());
    ASSERT_FALSE(opened) << claim;
    EXPECT_EQ(opened.error().code(), Errc::corrupt);
  }
}

}  // namespace
}  // namespace cairn
