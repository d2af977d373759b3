// How much may be staged on this machine, and who may stage next.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <stop_token>
#include <utility>

#include "base/mutex.h"
#include "base/result.h"
#include "base/wait.h"

namespace cairn {

// The bound of a staging area: a number of bytes that is never exceeded, and the room on its disk, which is a reason to
// wait for others but not to refuse, since the disk itself knows best. Whoever finds no room queues for it: what others
// give back goes to those who came first, so that none of many large files takes all of it.
//
// Thread-safety: all methods may be called from any thread; the disk is asked for its room with the lock held.
// Ownership: a Place keeps a pointer to its room, which must outlive it.
class StagingRoom {
 public:
  using FreeOnDisk = std::function<uint64_t()>;

  // `limit_bytes` 0: as much as the disk has.
  StagingRoom(uint64_t limit_bytes, FreeOnDisk free_on_disk);

  // What staging files hold: those that are being written, and those that are kept.
  struct Bytes {
    uint64_t written = 0;
    uint64_t kept = 0;
  };
  // One of them holds other bytes than before.
  void recount(Bytes before, Bytes after);

  struct Waiting {
    uint64_t size_bytes = 0;
    bool granted = false;
  };
  // Bytes that somebody is about to stage, or waits to. Move-only; to be held until they are counted.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept { *this = std::move(other); }
    Place& operator=(Place&& other) noexcept {
      std::swap(room_, other.room_);
      std::swap(waiting_, other.waiting_);
      return *this;
    }
    ~Place() {
      if (room_ != nullptr) room_->leave(waiting_);
    }

   private:
    friend class StagingRoom;
    StagingRoom* room_ = nullptr;
    std::shared_ptr<Waiting> waiting_;
  };

  // Granted at once if there is room and nobody waits.
  Place queue(uint64_t size_bytes);
  [[nodiscard]] bool is_granted(const Place& place) const;
  // Failures: no_space (nobody gave anything back for as long as `patience`), cancelled.
  Result<void> wait(const Place& place, const std::stop_token& stop, std::chrono::nanoseconds patience);
  // Granted after all, if only the disk is short of room. Failures: no_space.
  Result<void> insist(const Place& place);

  // Somebody has more than these staged bytes, and may give them back; what is kept, once it is published.
  [[nodiscard]] bool has_others(uint64_t own_bytes) const;
  // So much could be granted.
  bool has(uint64_t size_bytes);
  // Somebody waits, or more than half of what may be staged is: the time to give back what need not be here.
  [[nodiscard]] bool is_short() const;
  [[nodiscard]] Bytes used() const;
  [[nodiscard]] uint64_t limit_bytes() const { return limit_; }
  // True for the first who has to say that there is no room, until there was some again.
  bool is_news();

 private:
  void leave(const std::shared_ptr<Waiting>& waiting);
  void grant_locked() CAIRN_REQUIRES(mutex_);
  void take_locked(Waiting& waiting) CAIRN_REQUIRES(mutex_);
  [[nodiscard]] bool is_within_limit_locked(uint64_t size_bytes) const CAIRN_REQUIRES(mutex_);
  bool is_on_disk_locked(uint64_t size_bytes) CAIRN_REQUIRES(mutex_);
  void look_locked() CAIRN_REQUIRES(mutex_);
  [[nodiscard]] uint64_t used_locked() const CAIRN_REQUIRES(mutex_) { return used_.written + used_.kept; }

  const uint64_t limit_;
  const FreeOnDisk free_on_disk_;
  mutable Mutex mutex_;
  Condition changed_;
  Bytes used_ CAIRN_GUARDED_BY(mutex_);
  uint64_t promised_ CAIRN_GUARDED_BY(mutex_) = 0;      // granted, and not yet given up by its Place
  uint64_t freed_ CAIRN_GUARDED_BY(mutex_) = 0;         // ever
  uint64_t disk_free_ CAIRN_GUARDED_BY(mutex_) = 0;     // when last looked
  uint64_t disk_granted_ CAIRN_GUARDED_BY(mutex_) = 0;  // since then, or not yet written then
  bool told_ CAIRN_GUARDED_BY(mutex_) = false;
  std::list<std::shared_ptr<Waiting>> queue_ CAIRN_GUARDED_BY(mutex_);  // not granted yet; who came first is in front
};

}  // namespace cairn
