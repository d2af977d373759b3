// zstd frames: the one file of store/ that includes <zstd.h>.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// The most that `plain_bytes` can grow to, also when they become several frames.
size_t zstd_bound(size_t plain_bytes);

// One frame for `plain` in `out`, which has at least zstd_bound(plain.size()) bytes. Its size. `level` out of zstd's
// range is taken to the nearest in it.
size_t zstd_compress(ByteView plain, MutableByteView out, int level);

// Decodes the frames that `frames` must be, one or more, into exactly `out.size()` bytes. Safe on hostile bytes.
// Failures: corrupt.
Result<void> zstd_decompress(ByteView frames, MutableByteView out);

// Whether frames of `frame_bytes` can decode to `plain_bytes` at all: a block takes at least four bytes and makes at
// most 128 KiB. Asked before memory is taken for a size that hostile bytes claim.
bool zstd_can_reach(uint64_t frame_bytes, uint64_t plain_bytes);

}  // namespace cairn
