// The order in which other hosts are to see what this one has done, while the store has not heard of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/request_context.h"
#include "base/wait.h"
#include "store/directories/directory.h"

namespace cairn {

// Places in a queue: for a close, whose draft is kept until its turn comes, or for changes that a Directory holds back
// (commit_in_order). One thread takes them from the front; the others enter, or wait until what was before them is in
// the store.
//
// Thread-safety: all methods may be called from any thread. No lock is held over anything slow.
// Ownership: a place of changes holds its directory.
// Failures of what waits: those of the context; of wait_until_past, also that of an attempt that ended meanwhile.
class CloseQueue {
 public:
  struct Options {
    size_t most_closes = 4096;
    uint64_t most_bytes = 4ULL << 30;
    std::chrono::nanoseconds linger{std::chrono::seconds(1)};  // so that many share a record
    std::chrono::nanoseconds first_pause{std::chrono::seconds(1)};
    std::chrono::nanoseconds most_pause{std::chrono::minutes(1)};
  };
  explicit CloseQueue(const Options& options) : options_(options) {}

  struct Place {
    uint64_t order = 0;
    EntryId directory = 0;
    std::shared_ptr<Directory> changes{};  // nullptr: a close
    uint64_t draft = 0;                    // its number, of a close
    uint64_t size_bytes = 0;
    bool ready = false;  // nothing of it is under way on this host any more
    SteadyTime since{};
  };

  // Waits until a close of any size may enter. A queue that is empty takes one, however large.
  Result<void> wait_for_room(const RequestContext& context);
  // A place at the end, which nobody passes before it is ready.
  uint64_t enter(EntryId directory);
  void ready(uint64_t order, uint64_t draft, uint64_t size_bytes);
  void ready(uint64_t order, std::shared_ptr<Directory> changes);
  // What earlier processes left: an order that is taken, and a close at the place that it had then. As long as the
  // queue is held nothing is taken from it, so that all of them can be entered before the first goes.
  void hold();
  void continue_after(uint64_t order);
  void enter_again(const Place& place);
  void let_go();
  void move(uint64_t order, EntryId directory);
  void leave(uint64_t order);

  // Returns once everything that has entered so far has left. An attempt is made at once.
  Result<void> wait_until_past(const RequestContext& context);

  // For the one thread that works on it. False: stopped.
  bool wait_for_work(const std::stop_token& stop);
  // What is ready at the front and of one directory, `most` places at most.
  [[nodiscard]] std::vector<Place> next_run(size_t most) const;
  // What next_run() told of could not be done, and stays. Pauses grow until something succeeds.
  void failed(const Error& error);
  void succeeded();

  struct Counts {
    uint64_t closes = 0;
    uint64_t bytes = 0;
    std::optional<Error> error{};  // of the last attempt
  };
  [[nodiscard]] Counts counts() const;

 private:
  void settle(uint64_t order, Place place);
  [[nodiscard]] bool has_room_locked() const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] bool is_ready_locked() const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] SteadyTime due_locked() const CAIRN_REQUIRES(mutex_);

  const Options options_;
  mutable Mutex mutex_;
  Condition work_;      // for the thread: something is ready or due sooner
  Condition progress_;  // for the others: a place is free, or an attempt has ended
  std::map<uint64_t, Place> places_ CAIRN_GUARDED_BY(mutex_);  // by order
  uint64_t next_ CAIRN_GUARDED_BY(mutex_) = 1;
  bool held_ CAIRN_GUARDED_BY(mutex_) = false;
  uint64_t closes_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  size_t hurrying_ CAIRN_GUARDED_BY(mutex_) = 0;  // who wait in wait_until_past
  size_t kicks_ CAIRN_GUARDED_BY(mutex_) = 0;     // wakes the thread to look anew
  uint64_t failures_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ CAIRN_GUARDED_BY(mutex_);
  std::chrono::nanoseconds pause_ CAIRN_GUARDED_BY(mutex_){0};
  SteadyTime not_before_ CAIRN_GUARDED_BY(mutex_){};  // after a failure, unless somebody hurries
};

}  // namespace cairn
