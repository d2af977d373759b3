// Chunk ids that are durable in the store, as far as this process happens to know.
#pragma once

#include <unordered_set>

#include "base/mutex.h"
#include "store/format/manifest.h"

namespace cairn {

// Forgets some ids at random when there are too many: then a chunk is sent once more than needed, nothing else.
// Thread-safety: all methods may be called from any thread.
class KnownChunks {
 public:
  // 2 TiB of 4 MiB chunks, in about 32 MiB.
  static constexpr size_t kDefaultCapacity = 512U << 10;

  explicit KnownChunks(size_t capacity = kDefaultCapacity) : capacity_(capacity) {}

  void add(const ChunkId& id);
  void add(const Manifest& manifest);
  [[nodiscard]] bool contains(const ChunkId& id) const;

 private:
  void add_locked(const ChunkId& id) CAIRN_REQUIRES(mutex_);

  const size_t capacity_;
  mutable Mutex mutex_;
  std::unordered_set<ChunkId, DigestHash> ids_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
