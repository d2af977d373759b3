// How much may be staged on this machine, and who may stage next.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/wait.h"

namespace cairn {

// The bound of a staging area: a number of bytes that is never exceeded, and the room on its disk, which is a reason to
// wait for others but not to refuse, since the disk itself knows best. Whoever finds no room queues for it: what others
// give back goes to those who came first, so that none of many large files takes all of it.
//
// All users of a mount share it, and none may take it from the others. But for root and the daemon's own user, nobody
// is granted bytes or a file if he would then have more than are free: one alone gets half, a second one half of the
// rest. Who is at that bound waits like everybody, for what he himself gives back, and nobody waits behind him.
//
// Thread-safety: all methods may be called from any thread; the disk is asked for its room with the lock held.
// Ownership: a Place keeps a pointer to its room, which must outlive it.
class StagingRoom {
 public:
  using FreeOnDisk = std::function<uint64_t()>;

  // `limit_bytes` 0: as much as the disk has. `most_files`: what users share; nothing bounds root and `own_uid`.
  StagingRoom(uint64_t limit_bytes, FreeOnDisk free_on_disk, uint64_t most_files = std::numeric_limits<uint64_t>::max(),
              uint32_t own_uid = 0);

  // What staging files hold: those that are being written, and those that are kept.
  struct Bytes {
    uint64_t written = 0;
    uint64_t kept = 0;
  };
  // One of them, which counts to `user`, holds other bytes than before.
  void recount(Bytes before, Bytes after, uint32_t user = 0);

  // `user` makes a staging file. Failures: EDQUOT.
  Result<void> add_file(uint32_t user);
  // One that is there already, from an earlier process, or goes from one user to another: nobody is asked.
  void take_file(uint32_t user);
  void move_file(uint32_t from, uint32_t to, Bytes bytes);
  void drop_file(uint32_t user);

  struct Waiting {
    uint64_t size_bytes = 0;
    uint32_t user = 0;
    bool granted = false;
    uint64_t freed = 0;  // by the same user, since he waits
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

  // Granted at once if there is room for `user`, and nobody waits for it.
  Place queue(uint64_t size_bytes, uint32_t user = 0);
  [[nodiscard]] bool is_granted(const Place& place) const;
  // Failures: no_space (nobody gave anything back for as long as `patience`; of who is at his own bound, he did not),
  // cancelled.
  Result<void> wait(const Place& place, const std::stop_token& stop, std::chrono::nanoseconds patience);
  // Granted after all, if only the disk is short of room. Failures: no_space; EDQUOT: his own bound, not the room's.
  Result<void> insist(const Place& place);

  // Somebody has more than these staged bytes, and may give them back; what is kept, once it is published.
  [[nodiscard]] bool has_others(uint64_t own_bytes) const;
  // So much could be granted to `user`, and taken of the disk before it is written. Not to one who is bounded: nobody
  // counts what is only reserved.
  bool may_reserve(uint64_t size_bytes, uint32_t user = 0);
  // Somebody waits for room, or more than half of what may be staged is, or `user` waits or nears his bound: the time
  // for him to give back what need not be here.
  [[nodiscard]] bool is_short(uint32_t user = 0) const;
  [[nodiscard]] Bytes used() const;
  [[nodiscard]] uint64_t limit_bytes() const { return limit_; }
  // True for the first who has to say that there is no room, until there was some again.
  bool is_news();

  // Who was refused last because of his own bound, or waits for it.
  struct User {
    uint32_t uid = 0;
    uint64_t bytes = 0;
    uint64_t files = 0;
  };
  [[nodiscard]] std::vector<User> users_at_their_bound() const;

 private:
  // Of a user who is bounded.
  struct Share {
    uint64_t bytes = 0;
    uint64_t promised = 0;
    uint64_t files = 0;
    bool is_refused = false;  // the last that he asked for
    bool is_told = false;     // in the log, since he began to stage
  };
  using Shares = std::unordered_map<uint32_t, Share>;  // none of one who has nothing

  void leave(const std::shared_ptr<Waiting>& waiting);
  void grant_locked() CAIRN_REQUIRES(mutex_);
  void take_locked(Waiting& waiting) CAIRN_REQUIRES(mutex_);
  [[nodiscard]] bool is_bounded(uint32_t user) const { return user != 0 && user != own_uid_; }
  void count_locked(Bytes before, Bytes after, uint32_t user) CAIRN_REQUIRES(mutex_);
  void count_file_locked(int64_t change, uint32_t user) CAIRN_REQUIRES(mutex_);
  void forget_if_empty_locked(uint32_t user) CAIRN_REQUIRES(mutex_);
  [[nodiscard]] uint64_t held_locked(uint32_t user) const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] uint64_t free_locked() const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] bool is_within_share_locked(const Waiting& waiting) const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] bool has_waiting_locked(uint32_t user) const CAIRN_REQUIRES(mutex_);
  // Notes that `user` is refused, says so in the log once, and is the error.
  Error refuse_locked(uint32_t user, const std::string& what) CAIRN_REQUIRES(mutex_);
  [[nodiscard]] bool is_within_limit_locked(uint64_t size_bytes) const CAIRN_REQUIRES(mutex_);
  bool is_on_disk_locked(uint64_t size_bytes) CAIRN_REQUIRES(mutex_);
  void look_locked() CAIRN_REQUIRES(mutex_);
  [[nodiscard]] uint64_t used_locked() const CAIRN_REQUIRES(mutex_) { return used_.written + used_.kept; }

  const uint64_t limit_;
  const FreeOnDisk free_on_disk_;
  const uint64_t most_files_;
  const uint32_t own_uid_;
  mutable Mutex mutex_;
  Condition changed_;
  Bytes used_ CAIRN_GUARDED_BY(mutex_);
  uint64_t files_ CAIRN_GUARDED_BY(mutex_) = 0;
  Shares shares_ CAIRN_GUARDED_BY(mutex_);
  uint64_t promised_ CAIRN_GUARDED_BY(mutex_) = 0;      // granted, and not yet given up by its Place
  uint64_t freed_ CAIRN_GUARDED_BY(mutex_) = 0;         // ever
  uint64_t disk_free_ CAIRN_GUARDED_BY(mutex_) = 0;     // when last looked
  uint64_t disk_granted_ CAIRN_GUARDED_BY(mutex_) = 0;  // since then, or not yet written then
  bool told_ CAIRN_GUARDED_BY(mutex_) = false;
  std::list<std::shared_ptr<Waiting>> queue_ CAIRN_GUARDED_BY(mutex_);  // not granted yet; who came first is in front
};

}  // namespace cairn
