#include "store/directories/retention.h"

#include <algorithm>

#include "base/log.h"
#include "store/format/keys.h"

namespace cairn {

namespace {

constexpr std::chrono::nanoseconds kLongestPause = std::chrono::hours(24);
constexpr std::chrono::nanoseconds kAskAgainAfter = std::chrono::hours(1);
constexpr int kPausesInRetention = 30;

std::chrono::nanoseconds retention_of(const StoreFormat& format) {
  constexpr auto kMost = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::nanoseconds::max());
  const auto seconds = std::min(format.keep_deleted_seconds, static_cast<uint64_t>(kMost.count()));
  return std::chrono::seconds(seconds);
}

std::chrono::nanoseconds pause_of(const StoreFormat& format) {
  return std::min(kLongestPause, retention_of(format) / kPausesInRetention);
}

// An entry with a Move stays, deleted or not: completing the move needs its mark.
bool has_expired_here(const Entry& entry, Nanos now, std::chrono::nanoseconds keep) {
  if (!entry.deleted || entry.move) return false;
  if (*entry.deleted > now) return true;  // by a clock that was wrong, or this one is: the store knows better
  return static_cast<uint64_t>(now) - static_cast<uint64_t>(*entry.deleted) >= static_cast<uint64_t>(keep.count());
}

bool same_deletion(const EntryPtr& a, const EntryPtr& b) {
  return a && b && a->id == b->id && a->deleted == b->deleted;
}

}  // namespace

std::vector<std::string> Retention::expired(const DirectoryState& state, RecordNumber newest,
                                            const RequestContext& context) {
  const auto keep = retention_of(environment_.format);
  const Nanos now = environment_.clock.wall_now();
  std::vector<std::string> names;
  for (const auto& [name, entry] : state.entries) {
    if (has_expired_here(*entry, now, keep)) names.push_back(name);
  }
  if (names.empty() || keep.count() == 0) return names;
  if (newest == 0 || !may_ask()) return {};
  auto proof = proven(std::move(names), state, newest, context);
  if (proof) return std::move(*proof);
  log::debug("directory {:016x}: nothing deleted is forgotten yet: {}", log_.directory(), proof.error().to_string());
  return {};
}

bool Retention::may_ask() {
  const SteadyTime now = environment_.clock.steady_now();
  const auto again = std::min(kAskAgainAfter, pause_of(environment_.format));
  if (asked_ && now - *asked_ < again) return false;
  asked_ = now;
  return true;
}

// What is newest stands for now: the store had it no later than that.
Result<std::vector<std::string>> Retention::proven(std::vector<std::string> names, const DirectoryState& state,
                                                   RecordNumber newest, const RequestContext& context) const {
  const auto now = created_at(newest, context);
  if (!now) return fail(now.error());
  if (!*now) return fail(Errc::not_found, "record {} is gone", newest);
  const auto witness = newest_by(**now - pause_of(environment_.format).count(), newest, context);
  if (!witness) return fail(witness.error());
  const auto old = newest_by(witness->created - retention_of(environment_.format).count(), witness->number, context);
  if (!old) return fail(old.error());
  const auto before = log_.load(old->number, context);
  if (!before) return fail(before.error());
  std::erase_if(names, [&](const std::string& name) {
    return !same_deletion(before->state.find_any(name), state.find_any(name));
  });
  return names;
}

Result<std::optional<Nanos>> Retention::created_at(RecordNumber number, const RequestContext& context) const {
  const std::string key = keys::record(log_.directory(), number);
  const auto info = environment_.objects.head(key, context);
  if (!info && info.error().code() == Errc::not_found) return std::nullopt;
  if (!info) return fail(info.error());
  if (!info->created) return fail(Errc::unsupported, "the store does not say when it got '{}'", key);
  return info->created;
}

// By halves, as if times grew with numbers. Where they do not, for a clock that was wrong for a while, this may miss a
// record; one that it finds is as old as it says.
Result<Retention::Dated> Retention::newest_by(Nanos by, RecordNumber end, const RequestContext& context) const {
  Dated found;
  RecordNumber begin = 1;
  while (begin < end) {
    const RecordNumber middle = begin + (end - begin) / 2;
    const auto created = created_at(middle, context);
    if (!created) return fail(created.error());
    const bool is_there = created->has_value();
    if (is_there && **created > by) {
      end = middle;
      continue;
    }
    if (is_there) found = {middle, **created};
    begin = middle + 1;
  }
  if (found.number == 0) return fail(Errc::not_found, "no record is old enough");
  return found;
}

}  // namespace cairn
