// Chunk lists between memory, messages of format.proto, and objects (docs/format.md, "Manifests").
#pragma once

#include "base/bytes.h"
#include "store/format/envelope.h"
#include "store/format/manifest.h"

namespace cairn {

namespace format {
class Manifest;
}

[[nodiscard]] format::Manifest write_manifest(const Manifest& manifest, uint32_t chunk_size);
// Failures: corrupt. A manifest of any size that passes has consistent offsets and lengths.
Result<Manifest> read_manifest(const format::Manifest& proto, uint32_t chunk_size);

// A manifest object. The id is the SHA-256 of the serialised message, so the same chunk list is the same object.
struct EncodedManifest {
  Digest id;
  Buffer object;
};
// Failures: no_space (a chunk list beyond kMaxMessageBytes of envelope.h).
Result<EncodedManifest> encode_manifest(const Manifest& manifest, uint32_t chunk_size);
// Failures: corrupt (digest, grammar, or not the manifest named `id`); unsupported; no_space (it, or what it becomes,
// takes more than `most_bytes`).
Result<Manifest> decode_manifest(ByteView object, const Digest& id, uint32_t chunk_size,
                                 uint64_t most_bytes = kMaxMessageBytes);

}  // namespace cairn
