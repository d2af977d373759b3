// The chunk list of one file version.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/chunk_ref.h"
#include "base/result.h"

namespace cairn {

// Chunks in file order; what lies between them, or after the last, is a hole and reads as zeros.
// Thread-safety: immutable once built.
class Manifest {
 public:
  Manifest() = default;
  // `chunks` sorted by offset, not overlapping, ending at or before `size_bytes` (checked: an invariant of ours).
  Manifest(uint64_t size_bytes, std::vector<ChunkRef> chunks);

  [[nodiscard]] uint64_t size_bytes() const { return size_; }
  [[nodiscard]] const std::vector<ChunkRef>& chunks() const { return chunks_; }
  // The index of the first chunk that ends after `offset`: the one that covers it, or the next one after a hole.
  // chunks().size() if there is none. Binary search.
  [[nodiscard]] size_t index_at(uint64_t offset) const;

 private:
  uint64_t size_ = 0;
  std::vector<ChunkRef> chunks_;
};

using ManifestPtr = std::shared_ptr<const Manifest>;

}  // namespace cairn
