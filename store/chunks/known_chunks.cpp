#include "store/chunks/known_chunks.h"

#include "base/mutex.h"

namespace cairn {

void KnownChunks::add(const ChunkId& id) {
  const MutexLock lock(mutex_);
  add_locked(id);
}

void KnownChunks::add(const Manifest& manifest) {
  const MutexLock lock(mutex_);
  for (const ChunkRef& chunk : manifest.chunks()) add_locked(chunk.id);
}

bool KnownChunks::contains(const ChunkId& id) const {
  const MutexLock lock(mutex_);
  return ids_.contains(id);
}

void KnownChunks::add_locked(const ChunkId& id) {
  // Ids are digests, so the first one of the table is as good as a random one.
  if (ids_.insert(id).second && ids_.size() > capacity_) ids_.erase(ids_.begin());
}

}  // namespace cairn
