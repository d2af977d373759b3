#include "cache/staging_room.h"

#include <algorithm>

#include "base/clock.h"
#include "base/work_slots.h"

namespace cairn {

namespace {

// Of the disk, for descriptions of what is kept, and for whoever else writes to it.
constexpr uint64_t kReserveBytes = 64ULL << 20;
constexpr uint64_t kReserveShare = 32;

// The disk's room changes without anybody telling: looked at again when so much of it has been granted.
constexpr uint64_t kLookShare = 8;
constexpr std::chrono::seconds kLookAgain{1};

uint64_t less(uint64_t from, uint64_t what) { return from > what ? from - what : 0; }

}  // namespace

StagingRoom::StagingRoom(uint64_t limit_bytes, FreeOnDisk free_on_disk)
    : limit_(limit_bytes), free_on_disk_(std::move(free_on_disk)) {
  const MutexLock lock(mutex_);
  look_locked();
}

void StagingRoom::recount(Bytes before, Bytes after) {
  const MutexLock lock(mutex_);
  used_.written = used_.written - before.written + after.written;
  used_.kept = used_.kept - before.kept + after.kept;
  const uint64_t sum = after.written + after.kept;
  if (before.written + before.kept <= sum) return;
  freed_ += before.written + before.kept - sum;
  grant_locked();
  changed_.notify_all();
}

StagingRoom::Place StagingRoom::queue(uint64_t size_bytes) {
  Place place;
  place.room_ = this;
  place.waiting_ = std::make_shared<Waiting>(Waiting{size_bytes, size_bytes == 0});
  if (size_bytes == 0) return place;
  const MutexLock lock(mutex_);
  queue_.push_back(place.waiting_);
  grant_locked();
  return place;
}

bool StagingRoom::is_granted(const Place& place) const {
  const MutexLock lock(mutex_);
  return place.waiting_->granted;
}

Result<void> StagingRoom::wait(const Place& place, const std::stop_token& stop, std::chrono::nanoseconds patience) {
  const WithoutSlot waiting;
  MutexLock lock(mutex_);
  const Waiting& mine = *place.waiting_;
  SteadyTime quiet_since = system_clock().steady_now();
  for (uint64_t seen = freed_; !mine.granted; seen = freed_) {
    changed_.wait_for(lock, stop, std::min<std::chrono::nanoseconds>(patience, kLookAgain),
                      [&]() CAIRN_REQUIRES(mutex_) { return mine.granted || freed_ != seen; });
    if (stop.stop_requested()) return fail(Errc::cancelled, "nobody waits for the room any more");
    grant_locked();
    const SteadyTime now = system_clock().steady_now();
    if (freed_ != seen) quiet_since = now;
    if (!mine.granted && now - quiet_since >= patience) return fail(Errc::no_space, "nobody gave room back");
  }
  return {};
}

Result<void> StagingRoom::insist(const Place& place) {
  const MutexLock lock(mutex_);
  Waiting& mine = *place.waiting_;
  if (mine.granted) return {};
  if (!is_within_limit_locked(mine.size_bytes)) return fail(Errc::no_space, "all of the staging area is taken");
  std::erase(queue_, place.waiting_);
  take_locked(mine);
  return {};
}

bool StagingRoom::has_others(uint64_t own_bytes) const {
  const MutexLock lock(mutex_);
  return used_.written + promised_ > own_bytes || used_.kept > 0;
}

bool StagingRoom::has(uint64_t size_bytes) {
  const MutexLock lock(mutex_);
  return queue_.empty() && is_within_limit_locked(size_bytes) && is_on_disk_locked(size_bytes);
}

bool StagingRoom::is_short() const {
  const MutexLock lock(mutex_);
  if (!queue_.empty()) return true;
  const uint64_t on_disk = used_locked() + less(disk_free_, disk_granted_);
  return used_locked() > (limit_ == 0 ? on_disk : std::min(limit_, on_disk)) / 2;
}

StagingRoom::Bytes StagingRoom::used() const {
  const MutexLock lock(mutex_);
  return used_;
}

bool StagingRoom::is_news() {
  const MutexLock lock(mutex_);
  return !std::exchange(told_, true);
}

void StagingRoom::leave(const std::shared_ptr<Waiting>& waiting) {
  const MutexLock lock(mutex_);
  if (waiting->granted) {
    promised_ -= waiting->size_bytes;
  } else {
    std::erase(queue_, waiting);
  }
  if (queue_.empty()) return;
  grant_locked();
  changed_.notify_all();
}

// In the order of the queue, so that a large request is not overtaken for ever by small ones.
void StagingRoom::grant_locked() {
  while (!queue_.empty()) {
    Waiting& first = *queue_.front();
    if (!is_within_limit_locked(first.size_bytes) || !is_on_disk_locked(first.size_bytes)) return;
    take_locked(first);
    queue_.pop_front();
    told_ = false;
  }
}

void StagingRoom::take_locked(Waiting& waiting) {
  waiting.granted = true;
  promised_ += waiting.size_bytes;
  disk_granted_ += waiting.size_bytes;
}

bool StagingRoom::is_within_limit_locked(uint64_t size_bytes) const {
  return limit_ == 0 || (size_bytes <= limit_ && used_locked() + promised_ <= limit_ - size_bytes);
}

bool StagingRoom::is_on_disk_locked(uint64_t size_bytes) {
  if (disk_granted_ + size_bytes > disk_free_ / kLookShare) look_locked();
  const uint64_t reserve = std::min(kReserveBytes, (used_locked() + disk_free_) / kReserveShare);
  return size_bytes <= disk_free_ && disk_free_ - size_bytes >= reserve + disk_granted_;
}

void StagingRoom::look_locked() {
  disk_free_ = free_on_disk_();
  disk_granted_ = promised_;
}

}  // namespace cairn
