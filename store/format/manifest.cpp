#include "store/format/manifest.h"

#include <algorithm>

#include "base/check.h"

namespace cairn {

namespace {

bool in_order(const std::vector<ChunkRef>& chunks, uint64_t size_bytes) {
  uint64_t end = 0;
  for (const ChunkRef& chunk : chunks) {
    if (chunk.offset < end || chunk.size == 0) return false;
    end = chunk.end();
  }
  return end <= size_bytes;
}

}  // namespace

Manifest::Manifest(uint64_t size_bytes, std::vector<ChunkRef> chunks) : size_(size_bytes), chunks_(std::move(chunks)) {
  check(in_order(chunks_, size_), "a manifest's chunks are in file order, apart, and within the file");
}

size_t Manifest::index_at(uint64_t offset) const {
  const auto found = std::upper_bound(chunks_.begin(), chunks_.end(), offset,
                                      [](uint64_t wanted, const ChunkRef& chunk) { return wanted < chunk.end(); });
  return static_cast<size_t>(found - chunks_.begin());
}

}  // namespace cairn
