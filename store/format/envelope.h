// What records and manifests are wrapped in: a kind, a version, a codec, sizes, and a digest over all of it
// (docs/format.md, "Envelope").
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

namespace cairn {

// Four bytes that say what an object is before anything else is believed of it.
using Magic = std::array<char, 4>;
inline constexpr Magic kRecordMagic = {'C', 'F', 'S', 'r'};
inline constexpr Magic kManifestMagic = {'C', 'F', 'S', 'm'};
inline constexpr Magic kProfileMagic = {'C', 'F', 'S', 'p'};

// Magic, version, codec, two zero bytes, message size, payload size.
inline constexpr size_t kEnvelopeHeaderBytes = 24;
inline constexpr size_t kEnvelopeBytes = kEnvelopeHeaderBytes + sizeof(Digest);

// No message is longer: about two million names in one directory, or 22 million chunks in one file.
inline constexpr uint64_t kMaxMessageBytes = 1ULL << 30;

// The object for `message`, compressed where that makes it smaller. Deterministic for one zstd version.
// Failures: no_space (longer than kMaxMessageBytes).
Result<Buffer> wrap_envelope(const Magic& magic, ByteView message);

// The message in `object`. Safe on hostile bytes: the digest is checked before the payload is looked at, and memory is
// taken only for sizes that the payload can really reach. Failures: corrupt; unsupported (a newer version or codec);
// no_space (a message of more than `most_bytes`).
Result<Buffer> unwrap_envelope(const Magic& magic, ByteView object, uint64_t most_bytes = kMaxMessageBytes);

// The size of the message as the header of an object gives it, which nobody has checked; 0 if there is no header.
[[nodiscard]] uint64_t claimed_message_bytes(ByteView object);

}  // namespace cairn
