#include "base/digest.h"

#include <gtest/gtest.h>

namespace cairn {

// FIPS 180-4's examples.
TEST(Sha256, gives_the_published_values) {
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256(as_bytes("abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")).hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(as_bytes(std::string(1'000'000, 'a'))).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// XXH128 with seed 0, as xxHash and its bindings publish them.
TEST(Xxh3, gives_the_published_values) {
  EXPECT_EQ(xxh3_128({}).hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(xxh3_128(as_bytes("a")).hex(), "a96faf705af16834e6c632b61e964e1f");
  EXPECT_EQ(xxh3_128(as_bytes("abc")).hex(), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(xxh3_128(as_bytes("The quick brown fox jumps over the lazy dog")).hex(),
            "ddd650205ca3e7fa24a1cc2e3a8a7651");
  EXPECT_EQ(xxh3_128(as_bytes(std::string(1000, 'x'))).hex(), "50a1af5a5f2dcf01c0a4877b962cba82");
}

TEST(Digest, parses_its_own_hex_and_nothing_shorter) {
  const Digest digest = sha256(as_bytes("abc"));
  Digest parsed;
  ASSERT_TRUE(Digest::parse(digest.hex(), &parsed));
  EXPECT_EQ(parsed, digest);
  EXPECT_FALSE(Digest::parse(digest.hex().substr(2), &parsed));
  EXPECT_EQ(digest.short_hex(), "ba7816bf…");
}

TEST(Digest, sorts_as_its_hex_does) {
  const Digest low = sha256(as_bytes("abc"));  // ba…
  const Digest high = sha256({});              // e3…
  EXPECT_LT(low, high);
  EXPECT_LT(low.hex(), high.hex());
}

}  // namespace cairn
