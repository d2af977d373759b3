// One thread at a time per file, for steps that must not overlap although they wait for the store.
#pragma once

#include <unordered_set>

#include "base/ids.h"
#include "base/request_context.h"
#include "base/wait.h"

namespace cairn {

// A publication and a rename of the same file exclude each other: both read the entry in one commit and write it in
// another. Costs memory only while held.
// Thread-safety: all methods may be called from any thread. A thread that takes two takes the smaller id first.
// Failures of acquire: cancelled, deadline_exceeded; so a caller behind a slow publication can be interrupted.
class EntryLocks {
 public:
  // Move-only; gives the lock back when it goes.
  class Held {
   public:
    Held() = default;
    Held(EntryLocks* locks, EntryId id) : locks_(locks), id_(id) {}
    Held(Held&& other) noexcept { *this = std::move(other); }
    Held& operator=(Held&& other) noexcept;
    ~Held() { release(); }
    void release();

   private:
    EntryLocks* locks_ = nullptr;
    EntryId id_ = 0;
  };

  Result<Held> acquire(EntryId id, const RequestContext& context);

 private:
  void give_back(EntryId id);

  Mutex mutex_;
  Condition freed_;
  std::unordered_set<EntryId> held_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
