// Chunks and manifests that are in the store, as far as this process happens to know.
#pragma once

#include <unordered_map>

#include "base/digest.h"
#include "base/mutex.h"
#include "store/format/manifest.h"

namespace cairn {

// An object is listed, if a manifest in a record names it: it should be there. It is proven, if this process has put
// it, or has fetched all of it and found its bytes to have the checksum that is asked for: nobody looks a second time.
// Forgets some at random when there are too many: then something is looked at once more than needed, nothing else.
// Thread-safety: all methods may be called from any thread.
class KnownObjects {
 public:
  // 2 TiB of 4 MiB chunks, in about 40 MiB.
  static constexpr size_t kDefaultCapacity = 512U << 10;

  explicit KnownObjects(size_t capacity = kDefaultCapacity) : capacity_(capacity) {}

  void list(const Manifest& manifest) {
    const MutexLock lock(mutex_);
    for (const ChunkRef& chunk : manifest.chunks()) add_locked(chunk.id);
  }
  // `checksum`: of a chunk's bytes; a manifest has none.
  void prove(const Digest& id, const Checksum& checksum = {}) {
    const MutexLock lock(mutex_);
    Known& known = add_locked(id);
    known.is_proven = true;
    known.checksum = checksum;
  }

  [[nodiscard]] bool is_listed(const Digest& id) const {
    const MutexLock lock(mutex_);
    return objects_.contains(id);
  }
  [[nodiscard]] bool is_proven(const Digest& id, const Checksum& checksum = {}) const {
    const MutexLock lock(mutex_);
    const auto found = objects_.find(id);
    return found != objects_.end() && found->second.is_proven && found->second.checksum == checksum;
  }

 private:
  struct Known {
    Checksum checksum{};
    bool is_proven = false;
  };

  Known& add_locked(const Digest& id) CAIRN_REQUIRES(mutex_) {
    // Ids are digests, so the first one of the table is as good as a random one.
    if (objects_.size() >= capacity_ && !objects_.contains(id)) objects_.erase(objects_.begin());
    return objects_[id];
  }

  const size_t capacity_;
  mutable Mutex mutex_;
  std::unordered_map<Digest, Known, DigestHash> objects_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
