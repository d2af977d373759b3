// Two hosts that move two directories into each other would cut both off from the root. Each of them looks at the way
// up from both ends first, but what it looks at can change afterwards. So a directory that is about to leave says so in
// the record where it stands (Entry::leaving), then its mover looks, and it departs only if the notice is still there.
// Of moves that would make a ring together, the one whose notice was put last looks when all others have theirs: it
// meets a notice, or what has come of it.
//
// Who meets a notice and has the smaller attempt takes the notice away; who has the larger one takes back his own, and
// starts again later with another number, from half the range. So of two that meet one goes on, and a notice that a
// dead host has left is gone after a few tries. One with a number that nobody draws (somebody has forged it) goes once
// it has stood for longer than a living host lets one stand: to take a notice away is safe at any time, and only rude.
//
// The target's record of a move that was called off may still come, long after the directory has left by another move.
// So once a notice was taken from it, the directory leaves a trace where it departs: which attempt it was.
#include <algorithm>

#include "base/posix_error.h"
#include "base/wait.h"
#include "store/directories/leaving.h"
#include "store/directories/namespace.h"

namespace cairn {

namespace {

constexpr std::chrono::nanoseconds kFirstBackOff = std::chrono::milliseconds(5);
constexpr unsigned kMaxBackOffDoublings = 8;
constexpr size_t kMostNotices = 256;  // remembered

}  // namespace

Result<void> Namespace::confirm_link(const std::shared_ptr<Directory>& parent, const std::string& name, EntryId child,
                                     uint64_t attempt, const RequestContext& context) {
  while (true) {
    if (auto fresh = parent->refresh(std::chrono::nanoseconds(0), context); !fresh) return fresh;
    const Standing at = find_standing(*parent, name, child);
    if (!at.entry) return fail_posix(ESTALE, "'{}' has been moved by another host", name);
    if (at.entry->move) {
      if (auto finished = finish_move(*parent, at.name, context); !finished) return finished;
      continue;
    }
    if (!at.entry->leaving || at.entry->leaving->attempt == 0) return {};
    if (is_leaving(*at.entry, attempt)) return fail_posix(EINVAL, "'{}' would be inside itself", name);
    if (auto resolved = meet(*parent, at.name, *at.entry, attempt, context); !resolved) return resolved;
  }
}

// A move that has arrived already is completed, for somebody may have seen it; any other is called off, or has the way.
Result<void> Namespace::meet(Directory& parent, const std::string& name, const Entry& leaver, uint64_t attempt,
                             const RequestContext& context) {
  const auto target = find_or_load(leaver.leaving->directory, context);
  if (!target && target.error().code() != Errc::not_found) return fail(target.error());
  if (target && !target->directory->removed()) {
    Directory& arrival = *target->directory;
    auto fresh = arrival.refresh(std::chrono::nanoseconds(0), context);
    if (!fresh && !arrival.removed()) return fresh;
    if (auto finished = finish_moves(arrival, context); !finished) return finished;
  }
  if (auto fresh = parent.refresh(std::chrono::nanoseconds(0), context); !fresh) return fresh;
  const Standing still = find_standing(parent, name, leaver.id);
  if (!still.entry || !is_leaving(*still.entry, leaver.leaving->attempt)) return {};
  if (leaver.leaving->attempt < attempt && !has_stood_long(leaver))
    return fail(Errc::conflict, "'{}' is about to leave", name);
  return parent.commit(call_off(name, leaver.id, leaver.leaving->attempt, false), context);
}

// Whoever lives departs within a few requests, or takes it back and draws another number.
bool Namespace::has_stood_long(const Entry& leaver) {
  const SteadyTime now = environment_.clock.steady_now();
  const auto longest = environment_.options.operation_timeout / 4;
  const MutexLock lock(mutex_);
  const auto [met, is_first] = notices_.try_emplace({leaver.id, leaver.leaving->attempt}, now);
  if (!is_first && now - met->second >= longest) {
    notices_.erase(met);
    return true;
  }
  if (notices_.size() > kMostNotices) {
    notices_.erase(std::ranges::min_element(notices_, {}, [](const auto& notice) { return notice.second; }));
  }
  return false;
}

// The notice of `source`, and for an exchange that of the directory it changes places with; then the walk.
Result<void> Namespace::announce_and_look(const Place& from, const Place& to, const Crossing& crossing,
                                          const AncestryWalk& walk, const RequestContext& context) {
  const auto notice = [&](const Place& place, const EntryPtr& entry, EntryId towards) -> Result<void> {
    if (!entry || entry->kind != Kind::directory) return {};
    return place.directory->commit(announce(place.name, entry->id, crossing.attempt, towards), context);
  };
  auto done = notice(from, crossing.source, to.directory->id());
  if (done) done = notice(to, crossing.partner, from.directory->id());
  if (done && walk) done = walk(crossing.attempt, context);
  if (!done) take_back(from, to, crossing);
  return done;
}

void Namespace::take_back(const Place& from, const Place& to, const Crossing& crossing) {
  const auto take = [&](const Place& place, const EntryPtr& entry) {
    if (!entry || entry->kind != Kind::directory) return;
    (void)place.directory->commit_soon(call_off(place.name, entry->id, crossing.attempt, !crossing.was_sent));
  };
  take(from, crossing.source);
  take(to, crossing.partner);
}

Result<void> Namespace::back_off(unsigned tries, const RequestContext& context) {
  const auto most = kFirstBackOff * (1U << std::min(tries, kMaxBackOffDoublings));
  const auto span = static_cast<uint64_t>(most.count());
  return pause(std::chrono::nanoseconds(environment_.random.next_u64() % span), context);
}

}  // namespace cairn
