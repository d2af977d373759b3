// One chunk as an object: a small header, then the bytes raw or compressed (docs/format.md, "Chunks").
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

inline constexpr size_t kChunkHeaderBytes = 16;

// What the header's encoding byte says. Values are part of the format.
enum class ChunkEncoding : uint8_t {
  raw = 1,
  zstd = 2,
  planes_zstd = 3,  // bytes regrouped by their position in an element of `width` bytes, then zstd
};

// The object for `plain` (1 byte … 4 MiB): the smallest of the encodings that sampling makes plausible, raw unless the
// saving is worth a decode. The element width is found by sampling the bytes. Deterministic for one zstd version.
Buffer encode_chunk(ByteView plain, int compression_level);

// The bytes that decode_chunk() allocates besides the object, which it may answer with itself: none for raw objects.
uint64_t decoding_bytes(ByteView object, uint32_t expected_size);

// Plain bytes from an object; `expected_size` comes from the manifest. Raw ones stay where they are, others come to lie
// `skew` behind the start of a page. Verifies grammar and size only: digests are the caller's. Safe on hostile bytes.
// Failures: corrupt, unsupported (an encoding of a newer version).
Result<Buffer> decode_chunk(Buffer object, uint32_t expected_size, size_t skew = 0);

}  // namespace cairn
