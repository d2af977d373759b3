// Records of directories that cannot be used here, so that they need not be read for each who asks.
#pragma once

#include <optional>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "remote/object_store.h"
#include "store/format/entry.h"
#include "store/format/record.h"

namespace cairn {

// A record that was refused (damaged, forged, larger than this mount may read) costs a get of up to half of `memory`
// and the decoding of it. Whoever looks a name up below its directory would pay that again. What the store says of the
// object without its bytes tells whether it is the same one still. A refusal is believed once the same object was
// refused twice, since bytes can be damaged on their way, and for a while, since an object can be replaced by one of
// the same size. Thread-safety: all methods may be called from any thread.
class RefusedRecords {
 public:
  struct Refusal {
    RecordNumber number = 0;
    RecordNumber newest =
        0;                // of the directory at that time; with another, this record may not be needed; 0: not known
    ObjectInfo object{};  // as head says it
    Error error{Errc::corrupt, ""};
  };

  void add(EntryId directory, Refusal refusal, SteadyTime now) {
    const MutexLock lock(mutex_);
    const auto found = kept_.find(directory);
    if (found == kept_.end() && kept_.size() == kMost) kept_.erase(kept_.begin());
    const bool is_again = found != kept_.end() && is_same(found->second.refusal, refusal);
    kept_.insert_or_assign(directory, Kept{std::move(refusal), now, is_again});
  }
  // The one to believe, if its object is what it was. nullopt: read.
  [[nodiscard]] std::optional<Refusal> find(EntryId directory, SteadyTime now) const {
    const MutexLock lock(mutex_);
    const auto found = kept_.find(directory);
    if (found == kept_.end() || !found->second.was_twice || now - found->second.since > kLongest) return std::nullopt;
    return found->second.refusal;
  }
  void forget(EntryId directory) {
    const MutexLock lock(mutex_);
    kept_.erase(directory);
  }
  static bool is_same_object(const ObjectInfo& a, const ObjectInfo& b) {
    return a.size_bytes == b.size_bytes && a.created == b.created;
  }

 private:
  struct Kept {
    Refusal refusal;
    SteadyTime since{};
    bool was_twice = false;
  };
  static constexpr size_t kMost = 1024;
  static constexpr std::chrono::seconds kLongest{60};

  static bool is_same(const Refusal& a, const Refusal& b) {
    return a.number == b.number && a.newest == b.newest && is_same_object(a.object, b.object);
  }

  mutable Mutex mutex_;
  std::unordered_map<EntryId, Kept> kept_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
