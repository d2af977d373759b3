#include "remote/decorators/limited_object_store.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutex.h"

namespace cairn {

namespace {

int rank_of(Cause cause) {
  switch (cause) {
    case Cause::demand:
    case Cause::write_back: return 0;
    case Cause::prefetch: return 1;
    case Cause::maintenance: return 2;
  }
  check_failed("a Cause has a rank");
}

constexpr bool is_background(int rank) { return rank > 0; }

}  // namespace

size_t LimitedObjectStore::waiting() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

size_t LimitedObjectStore::window() const {
  const MutexLock lock(mutex_);
  return window_.size();
}

bool LimitedObjectStore::is_turn_of(const Ticket& ticket) const {
  if (!window_.has_room() || ticket != *queue_.begin()) return false;
  const size_t background = limits_.background_operations * window_.size() / limits_.operations;
  return !is_background(ticket.rank) || background_operations_ < std::max<size_t>(background, 1);
}

// One that comes after a while without any of its cause joins the round that goes on, and not those it has missed.
LimitedObjectStore::Ticket LimitedObjectStore::draw_ticket(Cause cause) {
  const int rank = rank_of(cause);
  if (is_background(rank)) return {rank, 0, next_number_++};
  uint64_t& next = next_round_[cause == Cause::write_back ? 1 : 0];
  next = std::max(next, round_);
  return {rank, next++, next_number_++};
}

Result<uint64_t> LimitedObjectStore::enter(const RequestContext& context) {
  MutexLock lock(mutex_);
  const Ticket ticket = draw_ticket(context.cause);
  queue_.insert(ticket);
  const auto admitted = turn_.wait(lock, context, [&]() CAIRN_REQUIRES(mutex_) { return is_turn_of(ticket); });
  queue_.erase(ticket);
  uint64_t request = 0;
  if (admitted) {
    request = window_.begin();
    round_ = std::max(round_, ticket.round);
    if (is_background(ticket.rank)) ++background_operations_;
  }
  turn_.notify_all();  // the operation that is first in the queue now may fit as well
  if (admitted) return request;
  return fail(admitted.error().code(), "waited for {} other operations of this store", window_.under_way());
}

void LimitedObjectStore::leave(uint64_t request, Cause cause, const Error* error) {
  {
    const MutexLock lock(mutex_);
    if (error == nullptr) {
      window_.end_well(request);
    } else if (error->code() == Errc::unavailable) {
      window_.end_congested(request);
    } else {
      window_.end_neutral();
    }
    if (is_background(rank_of(cause))) --background_operations_;
  }
  turn_.notify_all();
}

template <class Call>
auto LimitedObjectStore::in_turn(const RequestContext& context, Call call) -> decltype(call(context)) {
  const auto entered = enter(context);
  if (!entered) return fail(entered.error());
  auto result = call(context.no_longer_than(limits_.timeout));
  leave(*entered, context.cause, result ? nullptr : &result.error());
  return result;
}

Result<Buffer> LimitedObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  return in_turn(context, [&](const RequestContext& sent) { return inner_.get(key, range, sent); });
}

Result<void> LimitedObjectStore::put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) {
  return in_turn(context, [&](const RequestContext& sent) { return inner_.put_if_absent(key, bytes, sent); });
}

Result<ObjectInfo> LimitedObjectStore::head(const std::string& key, const RequestContext& context) {
  return in_turn(context, [&](const RequestContext& sent) { return inner_.head(key, sent); });
}

Result<ListPage> LimitedObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                          const RequestContext& context) {
  return in_turn(context, [&](const RequestContext& sent) { return inner_.list(prefix, start_after, limit, sent); });
}

Result<void> LimitedObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  return in_turn(context, [&](const RequestContext& sent) { return inner_.remove(keys, sent); });
}

}  // namespace cairn
