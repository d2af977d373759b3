// Restraint: only as many operations at once as the store bears, the ones that somebody waits for first.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <set>

#include "base/wait.h"
#include "remote/decorators/congestion_window.h"
#include "remote/object_store.h"

namespace cairn {

struct ObjectStoreLimits {
  size_t operations = 32;  // under way at once, at most: see CongestionWindow
  // Of these at most so many prefetches and maintenance, and in a narrower window in proportion: demand always finds
  // room.
  size_t background_operations = 24;
  // What an operation may take once its turn has come, however long its caller has.
  std::chrono::nanoseconds timeout{std::chrono::hours(1)};
};

// Operations past the limit wait their turn: demand and write-back, alternately, before prefetch before maintenance,
// and in order of arrival among equals. However many of one cause wait, the next of the other is at most one place
// behind. Source of the order: P. Goyal et al., "Start-time Fair Queuing", IEEE/ACM Transactions on Networking 5(5),
// 1997. Thread-safety: all methods may be called from any thread. Ownership: `inner` is borrowed and outlives this
// object. Failures: those of `inner`; cancelled or deadline_exceeded while waiting, and then nothing was asked of
// `inner`.
class LimitedObjectStore final : public ObjectStore {
 public:
  LimitedObjectStore(ObjectStore& inner, ObjectStoreLimits limits)
      : inner_(inner), limits_(limits), window_(limits.operations) {}

  // Operations in the queue now.
  [[nodiscard]] size_t waiting() const;
  // Operations that may be under way now: narrower after the store was unavailable.
  [[nodiscard]] size_t window() const;

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return inner_.way(); }

 private:
  // A position in the queue; the smallest is next.
  struct Ticket {
    int rank;        // by cause
    uint64_t round;  // of one operation of each cause
    uint64_t number;
    auto operator<=>(const Ticket&) const = default;
  };

  // Runs `call` once it is admitted.
  template <class Call>
  auto in_turn(const RequestContext& context, Call call) -> decltype(call(context));
  Ticket draw_ticket(Cause cause) CAIRN_REQUIRES(mutex_);
  // The window's number of the request.
  Result<uint64_t> enter(const RequestContext& context);
  void leave(uint64_t request, Cause cause, const Error* error);
  // First in the queue, with room in the window, and for background operations in their share of it.
  [[nodiscard]] bool is_turn_of(const Ticket& ticket) const CAIRN_REQUIRES(mutex_);

  ObjectStore& inner_;
  const ObjectStoreLimits limits_;
  mutable Mutex mutex_;
  Condition turn_;
  std::set<Ticket> queue_ CAIRN_GUARDED_BY(mutex_);
  uint64_t next_number_ CAIRN_GUARDED_BY(mutex_) = 0;
  // Of demand and write-back: the round of the newest that was let in, and that of the next to come of each.
  uint64_t round_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::array<uint64_t, 2> next_round_ CAIRN_GUARDED_BY(mutex_){};
  CongestionWindow window_ CAIRN_GUARDED_BY(mutex_);
  size_t background_operations_ CAIRN_GUARDED_BY(mutex_) = 0;  // of the operations under way
};

}  // namespace cairn
