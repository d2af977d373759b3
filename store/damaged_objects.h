// Objects of the store that were found damaged or missing here.
#pragma once

#include <unordered_set>

#include "base/digest.h"
#include "base/mutex.h"

namespace cairn {

// Chunks and manifests that this process has fetched and found not to be what their names say. Whoever saves the same
// bytes puts them in their place (chunks/put_or_replace.h).
// Thread-safety: all methods may be called from any thread.
class DamagedObjects {
 public:
  void add(const Digest& id) {
    const MutexLock lock(mutex_);
    if (ids_.size() < kMost) ids_.insert(id);
  }
  void remove(const Digest& id) {
    const MutexLock lock(mutex_);
    ids_.erase(id);
  }
  [[nodiscard]] bool contains(const Digest& id) const {
    const MutexLock lock(mutex_);
    return ids_.contains(id);
  }

 private:
  // A store with more damage than this needs another remedy.
  static constexpr size_t kMost = 1U << 20;

  mutable Mutex mutex_;
  std::unordered_set<Digest, DigestHash> ids_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
