// A chunk as a file's chunk list names it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/digest.h"

namespace cairn {

// Where a chunk lies in its file and what it must be.
struct ChunkRef {
  uint64_t offset = 0;
  uint32_t size = 0;
  ChunkId id;
  Checksum checksum;

  [[nodiscard]] uint64_t end() const { return offset + size; }
  bool operator==(const ChunkRef&) const = default;
};

// In file order, not overlapping.
using ChunkList = std::shared_ptr<const std::vector<ChunkRef>>;

}  // namespace cairn
