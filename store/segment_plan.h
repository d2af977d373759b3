// Where to cut a file so that the same tensor at another offset gives the same chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// Reads a prefix-limited view of the file being planned: up to out.size() bytes from `offset`, fewer at the end of what
// is there.
using PlanSource = std::function<Result<size_t>(uint64_t offset, MutableByteView out)>;

// The starts of a file's segments, ascending, the first one 0. Each segment is cut into chunks from its own start.
struct SegmentPlan {
  std::vector<uint64_t> starts{0};
  // Cuts below this offset stay as they are however the file goes on, provided nothing before it is rewritten.
  // For a finished file: its size.
  uint64_t settled_bytes = 0;

  bool operator==(const SegmentPlan&) const = default;
};

// Plans a file of `size_bytes` bytes so far; `finished` says that this is its final size. Recognises safetensors, GGUF,
// .npy and zip (.pth, .pt, .npz) by their own headers, found in the bytes and never by name; each tensor of at least a
// quarter chunk gets a segment, what lies between them is grouped. Anything else, or a header that does not check, is
// one segment. The same bytes give the same plan however they were written.
// Hostile headers cost bounded time and memory. Failures: only those of `source`.
Result<SegmentPlan> plan_segments(const PlanSource& source, uint64_t size_bytes, bool finished, uint32_t chunk_size);

// A stretch of the file that becomes one chunk.
struct PlannedChunk {
  uint64_t offset = 0;
  uint32_t size = 0;
  bool operator==(const PlannedChunk&) const = default;
};

// The cuts within [0, size_bytes).
std::vector<PlannedChunk> plan_chunks(const SegmentPlan& plan, uint64_t size_bytes, uint32_t chunk_size);

}  // namespace cairn
