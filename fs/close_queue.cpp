#include "fs/close_queue.h"

#include <algorithm>
#include <utility>

#include "base/work_slots.h"

namespace cairn {

namespace {

// With this many places nobody waits for more to come.
constexpr size_t kMany = 1024;

}  // namespace

bool CloseQueue::has_room_locked() const {
  return closes_ == 0 || (closes_ < options_.most_closes && bytes_ < options_.most_bytes);
}

Result<void> CloseQueue::wait_for_room(const RequestContext& context) {
  const WithoutSlot waiting;
  MutexLock lock(mutex_);
  auto room = progress_.wait(lock, context, [this]() CAIRN_REQUIRES(mutex_) { return has_room_locked(); });
  if (room) return room;
  const std::string why = error_ ? error_->message() : std::string("the store is slow");
  return fail(room.error().in(fmt::format("{} closes wait to be committed ({})", closes_, why)));
}

uint64_t CloseQueue::enter(EntryId directory) {
  const MutexLock lock(mutex_);
  const uint64_t order = next_++;
  places_[order] = {.order = order, .directory = directory, .since = system_clock().steady_now()};
  return order;
}

void CloseQueue::ready(uint64_t order, uint64_t draft, uint64_t size_bytes) {
  settle(order, {.draft = draft, .size_bytes = size_bytes});
}

void CloseQueue::ready(uint64_t order, std::shared_ptr<Directory> changes) {
  settle(order, {.changes = std::move(changes)});
}

void CloseQueue::settle(uint64_t order, Place place) {
  const MutexLock lock(mutex_);
  const auto found = places_.find(order);
  if (found == places_.end()) return;
  found->second.changes = std::move(place.changes);
  found->second.draft = place.draft;
  found->second.size_bytes = place.size_bytes;
  found->second.ready = true;
  if (place.draft != 0) ++closes_;
  bytes_ += place.size_bytes;
  // The thread looks again only where that changes what it waits for.
  if (found != places_.begin() && places_.size() != kMany && hurrying_ == 0) return;
  ++kicks_;
  work_.notify_all();
}

void CloseQueue::hold() {
  const MutexLock lock(mutex_);
  held_ = true;
}

void CloseQueue::let_go() {
  const MutexLock lock(mutex_);
  held_ = false;
  ++kicks_;
  work_.notify_all();
}

void CloseQueue::continue_after(uint64_t order) {
  const MutexLock lock(mutex_);
  next_ = std::max(next_, order + 1);
}

void CloseQueue::enter_again(const Place& place) {
  continue_after(place.order);
  {
    const MutexLock lock(mutex_);
    places_[place.order] = {.order = place.order, .directory = place.directory, .since = system_clock().steady_now()};
  }
  ready(place.order, place.draft, place.size_bytes);
}

void CloseQueue::move(uint64_t order, EntryId directory) {
  const MutexLock lock(mutex_);
  if (const auto found = places_.find(order); found != places_.end()) found->second.directory = directory;
}

void CloseQueue::leave(uint64_t order) {
  const MutexLock lock(mutex_);
  const auto left = places_.extract(order);
  if (!left) return;
  if (left.mapped().ready && left.mapped().draft != 0) --closes_;
  bytes_ -= left.mapped().size_bytes;
  progress_.notify_all();
  ++kicks_;
  work_.notify_all();
}

Result<void> CloseQueue::wait_until_past(const RequestContext& context) {
  const WithoutSlot waiting;
  MutexLock lock(mutex_);
  const uint64_t last = next_ - 1;
  const uint64_t seen = failures_;
  ++hurrying_;
  ++kicks_;
  not_before_ = {};
  work_.notify_all();
  const auto is_past = [&]() CAIRN_REQUIRES(mutex_) { return places_.empty() || places_.begin()->first > last; };
  auto ended = progress_.wait(lock, context, [&]() CAIRN_REQUIRES(mutex_) { return is_past() || failures_ != seen; });
  --hurrying_;
  if (!ended) return fail(ended.error().in("wait for what was closed before to be committed"));
  if (is_past()) return {};
  return fail(error_ ? *error_ : Error(Errc::unavailable, "what was closed before could not be committed"));
}

bool CloseQueue::is_ready_locked() const { return !held_ && !places_.empty() && places_.begin()->second.ready; }

SteadyTime CloseQueue::due_locked() const {
  const bool is_waited_for = hurrying_ > 0 || places_.size() >= kMany;
  const SteadyTime since = places_.begin()->second.since;
  return std::max(is_waited_for ? since : since + options_.linger, not_before_);
}

bool CloseQueue::wait_for_work(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    const size_t seen = kicks_;
    const auto kicked = [&]() CAIRN_REQUIRES(mutex_) { return kicks_ != seen; };
    if (!is_ready_locked()) {
      work_.wait(lock, stop, kicked);
      continue;
    }
    const SteadyTime due = due_locked();
    if (due <= system_clock().steady_now()) return true;
    work_.wait_until(lock, stop, due, kicked);
  }
  return false;
}

std::vector<CloseQueue::Place> CloseQueue::next_run(size_t most) const {
  std::vector<Place> run;
  const MutexLock lock(mutex_);
  for (const auto& [order, place] : places_) {
    if (!place.ready || run.size() == most || (!run.empty() && place.directory != run.front().directory)) break;
    run.push_back(place);
  }
  return run;
}

void CloseQueue::failed(const Error& error) {
  const MutexLock lock(mutex_);
  ++failures_;
  error_ = error;
  pause_ = std::clamp(pause_ * 2, options_.first_pause, options_.most_pause);
  not_before_ = system_clock().steady_now() + pause_;
  progress_.notify_all();
}

void CloseQueue::succeeded() {
  const MutexLock lock(mutex_);
  error_.reset();
  pause_ = std::chrono::nanoseconds(0);
  not_before_ = {};
}

CloseQueue::Counts CloseQueue::counts() const {
  const MutexLock lock(mutex_);
  return {closes_, bytes_, error_};
}

}  // namespace cairn
