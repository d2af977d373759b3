// The two digests of the format: SHA-256 names and proves, XXH3-128 notices accidents at memory speed.
#pragma once

#include <array>
#include <compare>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace cairn {

// A SHA-256 (FIPS 180-4). Ordered bytewise; hashable.
struct Digest {
  std::array<std::byte, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  [[nodiscard]] std::string hex() const { return to_hex(bytes); }
  // "3f2a91bc…": enough to recognise in a log line.
  [[nodiscard]] std::string short_hex() const { return to_hex(ByteView(bytes).first(4)) + "…"; }
  static bool parse(std::string_view hex, Digest* out) { return from_hex(hex, out->bytes); }
};

// A chunk's name in the store: the SHA-256 of its plain bytes.
using ChunkId = Digest;

// An XXH3-128 with seed 0, in its canonical (big-endian) representation.
struct Checksum {
  std::array<std::byte, 16> bytes{};

  auto operator<=>(const Checksum&) const = default;
  [[nodiscard]] std::string hex() const { return to_hex(bytes); }
};

Digest sha256(ByteView bytes);
Checksum xxh3_128(ByteView bytes);

struct DigestHash {
  size_t operator()(const Digest& digest) const {
    size_t value;
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};

}  // namespace cairn
