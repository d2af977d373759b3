// The local cache of chunks.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"

namespace cairn {

struct BlockCacheStats {
  uint64_t hits = 0;     // reads answered
  uint64_t misses = 0;   // reads of chunks that are not here
  uint64_t corrupt = 0;  // blocks whose bytes did not match: dropped, and counted as misses too
  uint64_t evicted_chunks = 0;
  uint64_t dropped_puts = 0;  // puts given up because the disk was full or the queue was long
  uint64_t used_bytes = 0;    // on disk
  uint64_t capacity_bytes = 0;
  uint64_t chunks = 0;
};

// Plain bytes of chunks, stored as blocks of one size, each with its own checksum. A cache may forget anything at any
// time and is never the only copy of anything.
//
// Thread-safety: all methods may be called from any thread at once.
// Failures: none that a reader needs to see: a fault of the cache is a miss (counted and logged).
// Durability: survives restarts; after an unclean end blocks are still checked one by one as they are read.
class BlockCache {
 public:
  virtual ~BlockCache() = default;

  // Fills `out` with the chunk's bytes from `offset` on, checking every block it touches. False: not here (whole).
  virtual bool read(const ChunkId& id, uint64_t offset, MutableByteView out) = 0;

  // Takes a verified chunk, evicting the least recently used as needed. Returns before it is on disk, and may drop it.
  // `plain` counts against the memory budget of its readers, so it is let go as soon as it is stored.
  virtual void put(const ChunkId& id, SharedBuffer plain) = 0;

  [[nodiscard]] virtual bool contains(const ChunkId& id) const = 0;

  // Waits until the chunks that were put so far are stored (or dropped): for work that must not run ahead of the disk,
  // and for tests.
  virtual void flush() = 0;

  // Forgets everything.
  virtual void clear() = 0;

  [[nodiscard]] virtual BlockCacheStats stats() const = 0;
};

}  // namespace cairn
