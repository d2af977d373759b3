// Where to cut a file so that the same tensor at another offset gives the same chunks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "store/segments/source_cursor.h"

namespace cairn {

// The starts of a file's segments, ascending, the first one 0. Each segment is cut into chunks from its own start.
struct SegmentPlan {
  std::vector<uint64_t> starts{0};
  // Cuts up to this offset stay as they are however the file goes on, provided nothing before it is rewritten. It is a
  // cut itself: plan_chunks(plan, settled_bytes, …) are chunks of the final file. For a finished file: its size.
  uint64_t settled_bytes = 0;

  bool operator==(const SegmentPlan&) const = default;
};

class Container;

// Plans one file, again and again while it grows; each call looks at what is new. Recognises safetensors, GGUF, .npy
// and zip (.pth, .pt, .npz) by their own headers, found in the bytes and never by name; each tensor of at least a
// quarter chunk gets a segment, what lies between them is grouped. Anything else, or a header that does not check, is
// one segment. The same bytes give the same plan however they were written and however often they were looked at.
//
// Thread-safety: one thread at a time.
// Failures: only those of the source. Hostile headers cost time linear in the file and 32 MiB of memory,
// or what is linear in its chunks.
class SegmentPlanner {
 public:
  explicit SegmentPlanner(uint32_t chunk_size);
  ~SegmentPlanner();
  SegmentPlanner(SegmentPlanner&&) noexcept;
  SegmentPlanner& operator=(SegmentPlanner&&) noexcept;

  // `size_bytes` bytes are there so far; `finished` says that this is the final size.
  Result<SegmentPlan> plan(const PlanSource& source, uint64_t size_bytes, bool finished);

  // To be called when bytes change that an earlier call may have seen: those below its size_bytes.
  void restart();

 private:
  Result<void> look(const PlanSource& source, uint64_t size_bytes);

  uint32_t chunk_size_;
  std::unique_ptr<Container> container_;  // nullptr: not known yet, or none
  bool decided_ = false;                  // the file's first bytes were seen
};

// The plan of a file looked at once.
Result<SegmentPlan> plan_segments(const PlanSource& source, uint64_t size_bytes, bool finished, uint32_t chunk_size);

// A stretch of the file that becomes one chunk.
struct PlannedChunk {
  uint64_t offset = 0;
  uint32_t size = 0;
  bool operator==(const PlannedChunk&) const = default;
};

// The cuts within [0, size_bytes).
std::vector<PlannedChunk> plan_chunks(const SegmentPlan& plan, uint64_t size_bytes, uint32_t chunk_size);

// The one of them that `offset` (< size_bytes) lies in: for files too sparse to list all their cuts.
PlannedChunk planned_chunk_at(const SegmentPlan& plan, uint64_t size_bytes, uint32_t chunk_size, uint64_t offset);

}  // namespace cairn
