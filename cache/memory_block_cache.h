// A cache that lives and dies with the process: for tests, and for hosts without a local disk.
#pragma once

#include "base/mutex.h"
#include "cache/block_cache.h"
#include "cache/lru_map.h"

namespace cairn {

// Holds copies of whole chunks, the least recently used going first. Its bytes need no checksum: they were verified
// when they were put, and memory is trusted.
class MemoryBlockCache final : public BlockCache {
 public:
  explicit MemoryBlockCache(uint64_t capacity_bytes) { stats_.capacity_bytes = capacity_bytes; }

  bool read(const ChunkId& id, uint64_t offset, MutableByteView out) override;
  // Drops what is larger than the whole cache.
  void put(const ChunkId& id, SharedBuffer plain) override;
  [[nodiscard]] bool contains(const ChunkId& id) const override;
  void flush() override {}
  void clear() override;
  [[nodiscard]] BlockCacheStats stats() const override;

 private:
  SharedBuffer find(const ChunkId& id, uint64_t offset, size_t size_bytes);
  void evict_oldest() CAIRN_REQUIRES(mutex_);

  mutable Mutex mutex_;
  LruMap<SharedBuffer> chunks_ CAIRN_GUARDED_BY(mutex_);
  BlockCacheStats stats_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
