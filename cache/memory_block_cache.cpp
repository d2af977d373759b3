#include "cache/memory_block_cache.h"

#include <algorithm>

namespace cairn {

bool MemoryBlockCache::read(const ChunkId& id, uint64_t offset, MutableByteView out) {
  const SharedBuffer chunk = find(id, offset, out.size());
  if (chunk == nullptr) return false;
  std::ranges::copy(chunk->view().subspan(offset, out.size()), out.begin());
  return true;
}

SharedBuffer MemoryBlockCache::find(const ChunkId& id, uint64_t offset, size_t size_bytes) {
  MutexLock lock(mutex_);
  const SharedBuffer* chunk = chunks_.use(id);
  if (chunk == nullptr || offset > (*chunk)->size() || size_bytes > (*chunk)->size() - offset) {
    ++stats_.misses;
    return nullptr;
  }
  ++stats_.hits;
  return *chunk;
}

void MemoryBlockCache::put(const ChunkId& id, SharedBuffer plain) {
  MutexLock lock(mutex_);
  if (chunks_.use(id) != nullptr) return;
  if (plain->size() > stats_.capacity_bytes) {
    ++stats_.dropped_puts;
    return;
  }
  while (stats_.used_bytes + plain->size() > stats_.capacity_bytes) evict_oldest();
  stats_.used_bytes += plain->size();
  // A copy: the shared one counts against the memory budget of its readers.
  chunks_.insert(id, std::make_shared<const Buffer>(Buffer::copy_of(plain->view())));
}

void MemoryBlockCache::evict_oldest() {
  const auto [id, chunk] = chunks_.oldest();
  stats_.used_bytes -= (*chunk)->size();
  ++stats_.evicted_chunks;
  chunks_.erase(id);
}

bool MemoryBlockCache::contains(const ChunkId& id) const {
  MutexLock lock(mutex_);
  return chunks_.peek(id) != nullptr;
}

void MemoryBlockCache::clear() {
  MutexLock lock(mutex_);
  chunks_.clear();
  stats_.used_bytes = 0;
}

BlockCacheStats MemoryBlockCache::stats() const {
  MutexLock lock(mutex_);
  BlockCacheStats stats = stats_;
  stats.chunks = chunks_.size();
  return stats;
}

}  // namespace cairn
