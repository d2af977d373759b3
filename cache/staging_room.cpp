#include "cache/staging_room.h"

#include <algorithm>
#include <cerrno>

#include "base/clock.h"
#include "base/log.h"
#include "base/posix_error.h"
#include "base/units.h"
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

StagingRoom::StagingRoom(uint64_t limit_bytes, FreeOnDisk free_on_disk, uint64_t most_files, uint32_t own_uid)
    : limit_(limit_bytes), free_on_disk_(std::move(free_on_disk)), most_files_(most_files), own_uid_(own_uid) {
  const MutexLock lock(mutex_);
  look_locked();
}

void StagingRoom::recount(Bytes before, Bytes after, uint32_t user) {
  const MutexLock lock(mutex_);
  used_.written = used_.written - before.written + after.written;
  used_.kept = used_.kept - before.kept + after.kept;
  count_locked(before, after, user);
  const uint64_t sum = after.written + after.kept;
  if (before.written + before.kept <= sum) return;
  const uint64_t freed = before.written + before.kept - sum;
  freed_ += freed;
  for (const auto& waiting : queue_) {
    if (waiting->user == user) waiting->freed += freed;
  }
  grant_locked();
  changed_.notify_all();
}

Result<void> StagingRoom::add_file(uint32_t user) {
  const MutexLock lock(mutex_);
  if (is_bounded(user)) {
    const auto share = shares_.find(user);
    const uint64_t has = share == shares_.end() ? 0 : share->second.files;
    if (has + 1 > less(most_files_, files_ + 1)) {
      return fail(refuse_locked(user, fmt::format("{} files of {}", has, most_files_)));
    }
  }
  count_file_locked(1, user);
  return {};
}

void StagingRoom::take_file(uint32_t user) {
  const MutexLock lock(mutex_);
  count_file_locked(1, user);
}

void StagingRoom::move_file(uint32_t from, uint32_t to, Bytes bytes) {
  const MutexLock lock(mutex_);
  count_file_locked(1, to);
  count_locked({}, bytes, to);
  count_locked(bytes, {}, from);
  count_file_locked(-1, from);
}

void StagingRoom::drop_file(uint32_t user) {
  const MutexLock lock(mutex_);
  count_file_locked(-1, user);
}

void StagingRoom::count_locked(Bytes before, Bytes after, uint32_t user) {
  if (!is_bounded(user)) return;
  Share& share = shares_[user];
  share.bytes = share.bytes - before.written - before.kept + after.written + after.kept;
  forget_if_empty_locked(user);
}

void StagingRoom::count_file_locked(int64_t change, uint32_t user) {
  files_ += static_cast<uint64_t>(change);
  if (!is_bounded(user)) return;
  shares_[user].files += static_cast<uint64_t>(change);
  forget_if_empty_locked(user);
}

void StagingRoom::forget_if_empty_locked(uint32_t user) {
  const auto share = shares_.find(user);
  if (share == shares_.end()) return;
  if (share->second.bytes + share->second.promised + share->second.files == 0) shares_.erase(share);
}

StagingRoom::Place StagingRoom::queue(uint64_t size_bytes, uint32_t user) {
  Place place;
  place.room_ = this;
  place.waiting_ = std::make_shared<Waiting>(Waiting{size_bytes, user, size_bytes == 0});
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
  uint64_t seen = freed_;
  uint64_t seen_of_his = mine.freed;
  while (!mine.granted) {
    changed_.wait_for(lock, stop, std::min<std::chrono::nanoseconds>(patience, kLookAgain),
                      [&]() CAIRN_REQUIRES(mutex_) { return mine.granted || freed_ != seen; });
    if (stop.stop_requested()) return fail(Errc::cancelled, "nobody waits for the room any more");
    grant_locked();
    const SteadyTime now = system_clock().steady_now();
    // What others give back is no news for one who has as much as he may have.
    if (mine.freed != seen_of_his || (freed_ != seen && is_within_share_locked(mine))) quiet_since = now;
    seen = freed_;
    seen_of_his = mine.freed;
    if (!mine.granted && now - quiet_since >= patience) return fail(Errc::no_space, "nobody gave room back");
  }
  return {};
}

Result<void> StagingRoom::insist(const Place& place) {
  const MutexLock lock(mutex_);
  Waiting& mine = *place.waiting_;
  if (mine.granted) return {};
  if (!is_within_share_locked(mine)) {
    return fail(refuse_locked(mine.user, human_bytes(held_locked(mine.user))));
  }
  if (!is_within_limit_locked(mine.size_bytes)) return fail(Errc::no_space, "all of the staging area is taken");
  std::erase(queue_, place.waiting_);
  take_locked(mine);
  return {};
}

bool StagingRoom::has_others(uint64_t own_bytes) const {
  const MutexLock lock(mutex_);
  return used_.written + promised_ > own_bytes || used_.kept > 0;
}

bool StagingRoom::may_reserve(uint64_t size_bytes, uint32_t user) {
  const MutexLock lock(mutex_);
  if (is_bounded(user) || has_waiting_locked(user)) return false;
  return is_within_limit_locked(size_bytes) && is_on_disk_locked(size_bytes);
}

bool StagingRoom::is_short(uint32_t user) const {
  const MutexLock lock(mutex_);
  if (has_waiting_locked(user)) return true;
  if (is_bounded(user) && held_locked(user) > free_locked() / 2) return true;
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

std::vector<StagingRoom::User> StagingRoom::users_at_their_bound() const {
  const MutexLock lock(mutex_);
  std::vector<User> users;
  for (const auto& [uid, share] : shares_) {
    const bool waits = std::ranges::any_of(queue_, [&, of = uid](const auto& waiting) CAIRN_REQUIRES(mutex_) {
      return waiting->user == of && !is_within_share_locked(*waiting);
    });
    if (share.is_refused || waits) users.push_back({uid, share.bytes, share.files});
  }
  std::ranges::sort(users, {}, &User::uid);
  return users;
}

void StagingRoom::leave(const std::shared_ptr<Waiting>& waiting) {
  const MutexLock lock(mutex_);
  if (waiting->granted) {
    promised_ -= waiting->size_bytes;
    if (is_bounded(waiting->user) && waiting->size_bytes > 0) {
      shares_[waiting->user].promised -= waiting->size_bytes;
      forget_if_empty_locked(waiting->user);
    }
  } else {
    std::erase(queue_, waiting);
  }
  if (queue_.empty()) return;
  grant_locked();
  changed_.notify_all();
}

// In the order of the queue, so that a large request is not overtaken for ever by small ones; but past those who wait
// for themselves. What they have given back is on the disk, which is asked once for all of them.
void StagingRoom::grant_locked() {
  bool has_looked = false;
  for (auto place = queue_.begin(); place != queue_.end();) {
    Waiting& next = **place;
    if (!is_within_share_locked(next) && !std::exchange(has_looked, true)) look_locked();
    if (!is_within_share_locked(next)) {
      ++place;
      continue;
    }
    if (!is_within_limit_locked(next.size_bytes) || !is_on_disk_locked(next.size_bytes)) return;
    take_locked(next);
    place = queue_.erase(place);
    told_ = false;
  }
}

void StagingRoom::take_locked(Waiting& waiting) {
  if (is_bounded(waiting.user)) {
    Share& share = shares_[waiting.user];
    share.promised += waiting.size_bytes;
    share.is_refused = false;
  }
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

uint64_t StagingRoom::held_locked(uint32_t user) const {
  const auto share = shares_.find(user);
  return share == shares_.end() ? 0 : share->second.bytes + share->second.promised;
}

uint64_t StagingRoom::free_locked() const {
  const uint64_t on_disk = less(disk_free_, disk_granted_);
  return limit_ == 0 ? on_disk : std::min(on_disk, less(limit_, used_locked() + promised_));
}

bool StagingRoom::is_within_share_locked(const Waiting& waiting) const {
  if (!is_bounded(waiting.user)) return true;
  return held_locked(waiting.user) + waiting.size_bytes <= less(free_locked(), waiting.size_bytes);
}

// Those who wait for themselves are nobody else's reason to hurry.
bool StagingRoom::has_waiting_locked(uint32_t user) const {
  return std::ranges::any_of(queue_, [&](const auto& waiting) CAIRN_REQUIRES(mutex_) {
    return waiting->user == user || is_within_share_locked(*waiting);
  });
}

Error StagingRoom::refuse_locked(uint32_t user, const std::string& what) {
  Share& share = shares_[user];
  share.is_refused = true;
  if (!std::exchange(share.is_told, true)) {
    log::warning(
        "user {} has {} in the staging area, as much as is left for all: more is refused (EDQUOT) until some of it is "
        "published, or decided about (`cairnfs kept`)",
        user, what);
  }
  return posix_error(EDQUOT, fmt::format("user {} has {} in the staging area, as much as is left for all", user, what));
}

void StagingRoom::look_locked() {
  disk_free_ = free_on_disk_();
  disk_granted_ = promised_;
}

}  // namespace cairn
