#include "store/codec/zstd_codec.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace cairn {

namespace {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Contexts hold a megabyte or more of tables; one per thread is made once and reused.
ZSTD_CCtx* compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  check(context != nullptr, "zstd has memory for a context");
  return context.get();
}

ZSTD_DCtx* decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  check(context != nullptr, "zstd has memory for a context");
  return context.get();
}

}  // namespace

// A frame of its own adds at most a few dozen bytes; no caller makes more than nine of them.
size_t zstd_bound(size_t plain_bytes) { return ZSTD_compressBound(plain_bytes) + 9 * ZSTD_compressBound(0); }

size_t zstd_compress(ByteView plain, MutableByteView out, int level) {
  const int usable = std::clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel());
  const size_t size = ZSTD_compressCCtx(compressor(), out.data(), out.size(), plain.data(), plain.size(), usable);
  check(!ZSTD_isError(size), "zstd compresses into a buffer of its own bound");
  return size;
}

Result<void> zstd_decompress(ByteView frames, MutableByteView out) {
  const size_t size = ZSTD_decompressDCtx(decompressor(), out.data(), out.size(), frames.data(), frames.size());
  if (ZSTD_isError(size)) return fail(Errc::corrupt, "zstd: {}", ZSTD_getErrorName(size));
  if (size != out.size()) return fail(Errc::corrupt, "zstd: {} bytes where {} belong", size, out.size());
  return {};
}

bool zstd_can_reach(uint64_t frame_bytes, uint64_t plain_bytes) {
  constexpr uint64_t kBestRatio = ZSTD_BLOCKSIZE_MAX / 4;
  return plain_bytes / kBestRatio <= frame_bytes;
}

}  // namespace cairn
