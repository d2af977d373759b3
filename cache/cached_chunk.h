// A chunk in a cache's file.
#pragma once

#include "base/digest.h"

namespace cairn {

struct CachedChunk {
  ChunkId id;
  uint64_t size_bytes = 0;
};

}  // namespace cairn
