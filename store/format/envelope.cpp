#include "store/format/envelope.h"

#include <algorithm>

#include "base/units.h"
#include "store/codec/zstd_codec.h"

namespace cairn {

namespace {

constexpr uint8_t kVersion = 1;
constexpr int kLevel = 3;  // records are small and read often: a better level than chunks get

enum class Codec : uint8_t { raw = 1, zstd = 2 };

struct Header {
  Magic magic{};
  uint8_t version = kVersion;
  Codec codec = Codec::raw;
  uint16_t reserved = 0;
  uint64_t message_bytes = 0;
  uint64_t payload_bytes = 0;
};

void write_header(const Header& header, std::byte* to) {
  std::memcpy(to, header.magic.data(), header.magic.size());
  to[4] = std::byte{header.version};
  to[5] = static_cast<std::byte>(header.codec);
  store_le<uint16_t>(header.reserved, to + 6);
  store_le<uint64_t>(header.message_bytes, to + 8);
  store_le<uint64_t>(header.payload_bytes, to + 16);
}

Header read_header(const std::byte* from) {
  Header header;
  std::memcpy(header.magic.data(), from, header.magic.size());
  header.version = std::to_integer<uint8_t>(from[4]);
  header.codec = static_cast<Codec>(from[5]);
  header.reserved = load_le<uint16_t>(from + 6);
  header.message_bytes = load_le<uint64_t>(from + 8);
  header.payload_bytes = load_le<uint64_t>(from + 16);
  return header;
}

// The payload, written where it belongs in an object of the largest size it may take; its size.
size_t write_payload(ByteView message, MutableByteView out, Codec* codec) {
  const size_t compressed = zstd_compress(message, out, kLevel);
  *codec = compressed < message.size() ? Codec::zstd : Codec::raw;
  if (*codec == Codec::zstd) return compressed;
  std::copy(message.begin(), message.end(), out.begin());
  return message.size();
}

Result<void> check_digest(ByteView object) {
  const ByteView covered = object.first(object.size() - sizeof(Digest));
  const Digest digest = sha256(covered);
  if (!std::equal(digest.bytes.begin(), digest.bytes.end(), object.end() - sizeof(Digest))) {
    return fail(Errc::corrupt, "the digest does not match the bytes");
  }
  return {};
}

// Magic and version come first: an object of a newer kind must be called unsupported, not corrupt.
Result<void> check_identity(const Header& header, const Magic& magic) {
  if (header.magic != magic) return fail(Errc::corrupt, "no '{}' object", std::string_view(magic.data(), magic.size()));
  if (header.version > kVersion) {
    return fail(Errc::unsupported, "envelope version {}; this cairnfs reads up to {}", header.version, kVersion);
  }
  return {};
}

Result<void> check_sizes(const Header& header, size_t object_bytes) {
  const bool fits = header.payload_bytes == object_bytes - kEnvelopeBytes && header.message_bytes <= kMaxMessageBytes;
  if (!fits || header.version == 0 || header.reserved != 0) return fail(Errc::corrupt, "malformed envelope");
  if (header.codec == Codec::raw && header.message_bytes == header.payload_bytes) return {};
  if (header.codec == Codec::zstd && zstd_can_reach(header.payload_bytes, header.message_bytes)) return {};
  if (header.codec != Codec::raw && header.codec != Codec::zstd) {
    return fail(Errc::unsupported, "codec {} is of a newer cairnfs", static_cast<int>(header.codec));
  }
  return fail(Errc::corrupt, "{} bytes cannot hold a message of {}", header.payload_bytes, header.message_bytes);
}

}  // namespace

Result<Buffer> wrap_envelope(const Magic& magic, ByteView message) {
  if (message.size() > kMaxMessageBytes) {
    return fail(Errc::no_space, "{} are more than one object of the store's metadata may hold",
                human_bytes(message.size()));
  }
  Buffer object(kEnvelopeBytes + zstd_bound(message.size()));
  Header header{.magic = magic, .message_bytes = message.size()};
  header.payload_bytes = write_payload(message, object.mutable_view().subspan(kEnvelopeHeaderBytes), &header.codec);
  write_header(header, object.data());
  const size_t covered = kEnvelopeHeaderBytes + header.payload_bytes;
  const Digest digest = sha256(object.view().first(covered));
  std::copy(digest.bytes.begin(), digest.bytes.end(), object.data() + covered);
  object.shrink_to(covered + sizeof(Digest));
  return object;
}

uint64_t claimed_message_bytes(ByteView object) {
  return object.size() < kEnvelopeBytes ? 0 : read_header(object.data()).message_bytes;
}

Result<Buffer> unwrap_envelope(const Magic& magic, ByteView object, uint64_t most_bytes) {
  if (object.size() < kEnvelopeBytes) return fail(Errc::corrupt, "{} bytes are too few for an envelope", object.size());
  const Header header = read_header(object.data());
  if (auto known = check_identity(header, magic); !known) return fail(std::move(known).error());
  if (auto intact = check_digest(object); !intact) return fail(std::move(intact).error());
  if (auto sane = check_sizes(header, object.size()); !sane) return fail(std::move(sane).error());
  if (header.message_bytes > most_bytes) {
    return fail(Errc::no_space, "{} of metadata where {} may be used at once: give the mount more `memory`",
                human_bytes(header.message_bytes), human_bytes(most_bytes));
  }

  const ByteView payload = object.subspan(kEnvelopeHeaderBytes, header.payload_bytes);
  if (header.codec == Codec::raw) return Buffer::copy_of(payload);
  Buffer message(header.message_bytes);
  if (auto decoded = zstd_decompress(payload, message.mutable_view()); !decoded)
    return fail(std::move(decoded).error());
  return message;
}

}  // namespace cairn
