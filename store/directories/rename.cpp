// rename(2), within one directory and between two.
#include <algorithm>

#include "base/log.h"
#include "base/posix_error.h"
#include "store/directories/leaving.h"
#include "store/directories/move.h"
#include "store/directories/namespace.h"

namespace cairn {

namespace {

// With each try the number that an attempt draws is from half the range, so that nobody yields for long to one that is
// no longer made.
constexpr unsigned kMostHalvings = 32;

// The values that a rename's mutations capture.
struct Renaming {
  std::string from;
  std::string to;
  RenameMode mode = RenameMode::replace;
  std::optional<EntryId> retired;  // an empty directory that may be replaced
  uint64_t attempt = 0;            // by which directories have been announced
  Nanos now = 0;
  size_t keep_versions = 0;
};

Result<void> check_kinds(const Entry& source, const Entry& target) {
  const bool moves_directory = source.kind == Kind::directory;
  const bool meets_directory = target.kind == Kind::directory;
  if (moves_directory && !meets_directory) return fail_posix(ENOTDIR, "a directory cannot replace what is none");
  if (!moves_directory && meets_directory) return fail_posix(EISDIR, "a directory can be replaced by a directory only");
  return {};
}

// Whether `source` may take the name under which `target` (or nullptr) stands.
Result<void> check_target(const Entry& source, const EntryPtr& target, const Renaming& renaming) {
  if (!target) return {};
  if (renaming.mode == RenameMode::no_replace) return fail_posix(EEXIST, "'{}' exists", renaming.to);
  if (auto fits = check_kinds(source, *target); !fits) return fits;
  if (target->kind == Kind::directory && renaming.retired != target->id) {
    return fail(Errc::conflict, "'{}' has become another directory", renaming.to);
  }
  return {};
}

// Of what is renamed; a directory's is in its own record.
Entry touched(Entry entry, Nanos now) {
  if (entry.kind != Kind::directory) entry.attributes.ctime = now;
  return entry;
}

// `source` under a name where another, live or deleted, left its history: that goes in front.
Entry with_history(DirectoryEdit& edit, const Entry& source, const Renaming& renaming) {
  Entry entry = touched(source, renaming.now);
  const EntryPtr before = edit.history_for(renaming.to, entry, renaming.now);
  if (!before || before->versions.empty()) return entry;
  return entry.over(*before, renaming.keep_versions);
}

Result<void> swap_names(DirectoryEdit& edit, const Renaming& renaming) {
  const EntryPtr one = edit.find(renaming.from);
  const EntryPtr other = edit.find(renaming.to);
  if (!one || !other) return fail_posix(ENOENT, "no entry '{}'", one ? renaming.to : renaming.from);
  if (one->id == other->id) return {};
  edit.take(renaming.from);
  edit.take(renaming.to);
  edit.put(renaming.from, touched(*other, renaming.now));
  edit.put(renaming.to, touched(*one, renaming.now));
  edit.touch(renaming.now);
  return {};
}

Result<void> change_name(DirectoryEdit& edit, const Renaming& renaming) {
  const EntryPtr source = edit.find(renaming.from);
  if (!source) return fail_posix(ENOENT, "no entry '{}'", renaming.from);
  const EntryPtr occupant = edit.find_any(renaming.to);
  const EntryPtr target = edit.find(renaming.to);
  const bool same_entry = target && target->id == source->id;
  if (same_entry && renaming.mode == RenameMode::replace) return {};
  if (auto free = check_target(*source, target, renaming); !free) return free;
  if (occupant && occupant->move) return fail(Errc::conflict, "'{}' has just moved here", renaming.to);
  edit.take(renaming.from);
  edit.put(renaming.to, with_history(edit, *source, renaming));
  edit.touch(renaming.now);
  return {};
}

// The first half of a rename between directories: `source`, of directory `origin`, appears under its new name. What it
// changes places with departs by this record, so a directory must have been announced.
Result<void> arrive(DirectoryEdit& edit, const Entry& source, EntryId origin, const Renaming& renaming) {
  const EntryPtr occupant = edit.find_any(renaming.to);
  const EntryPtr target = edit.find(renaming.to);
  const bool same_entry = target && target->id == source.id;
  if (same_entry || (occupant && occupant->move)) {
    return fail(Errc::conflict, "'{}' has just moved here", renaming.to);
  }
  Move move{.directory = origin, .name = renaming.from, .replacement = nullptr, .attempt = 0};
  if (source.kind == Kind::directory) move.attempt = renaming.attempt;
  if (auto room = edit.check_room(renaming.to, source); !room) return room;
  Entry entry = source;
  if (renaming.mode == RenameMode::exchange) {
    if (!target) return fail_posix(ENOENT, "no entry '{}'", renaming.to);
    if (target->kind == Kind::directory && !is_leaving(*target, renaming.attempt)) {
      return fail(Errc::conflict, "'{}' has become another directory, or its move was called off", renaming.to);
    }
    move.replacement = std::make_shared<const Entry>(without_notice(touched(*target, renaming.now)));
    edit.leave_trace(renaming.to, *target, renaming.now);
    entry = touched(source, renaming.now);
  } else {
    if (auto free = check_target(source, target, renaming); !free) return free;
    entry = with_history(edit, source, renaming);
  }
  entry = without_notice(std::move(entry));
  entry.move = std::move(move);
  edit.put(renaming.to, std::move(entry));
  edit.touch(renaming.now);
  return {};
}

bool is_directory(const EntryPtr& entry) { return entry && entry->kind == Kind::directory; }

// ESTALE is of that kind, too, but an answer.
bool is_conflict(const Result<void>& result) {
  return !result && result.error().code() == Errc::conflict && result.error().posix() == 0;
}

}  // namespace

Result<void> Namespace::rename(const Place& from, const Place& to, RenameMode mode, const RequestContext& context,
                               const AncestryWalk& walk) {
  if (!is_valid_name(from.name) || !is_valid_name(to.name)) {
    return fail_posix(EINVAL, "'{}' or '{}' cannot be a name", from.name, to.name);
  }
  const bool within = from.directory->id() == to.directory->id();
  auto renamed = within ? rename_within(from, to.name, mode, context) : rename_across(from, to, mode, walk, context);
  if (renamed) return renamed;
  return fail(renamed.error().in(fmt::format("rename '{}' to '{}'", from.name, to.name)));
}

// Before `source` may take the name. A move that ended there is completed: if its mark were overwritten, nothing would
// ever free the name that it came from. An empty directory that stands there is retired: else another host could put a
// file into it that is lost with it. Answers with the directory that may be replaced.
Result<std::optional<EntryId>> Namespace::make_way(const Place& to, const Entry& source, RenameMode mode,
                                                   const RequestContext& context) {
  if (auto finished = finish_move(*to.directory, to.name, context); !finished) return fail(finished.error());
  const EntryPtr target = to.directory->find(to.name);
  if (!target || target->id == source.id || target->kind != Kind::directory || mode == RenameMode::exchange) {
    return std::nullopt;
  }
  if (mode == RenameMode::no_replace) {
    (void)open_child(*to.directory, to.name, context);  // frees the name if nothing stands behind it
    return std::nullopt;
  }
  if (auto fits = check_kinds(source, *target); !fits) return fail(fits.error());
  if (auto retired = retire(target->id, context); !retired) return fail(retired.error());
  return target->id;
}

Result<void> Namespace::rename_within(const Place& from, const std::string& to, RenameMode mode,
                                      const RequestContext& context) {
  const auto change = mode == RenameMode::exchange ? swap_names : change_name;
  Renaming renaming{.from = from.name,
                    .to = to,
                    .mode = mode,
                    .retired = {},
                    .attempt = 0,
                    .now = environment_.clock.wall_now(),
                    .keep_versions = environment_.format.keep_versions};
  for (unsigned tries = 0;; ++tries) {
    // Each round looks anew. A conflict says that another host put something there after the way was made.
    const EntryPtr source = from.directory->find(from.name);
    if (!source) return fail_posix(ENOENT, "no entry '{}'", from.name);
    auto retired = make_way({from.directory, to}, *source, mode, context);
    if (!retired) return fail(retired.error());
    renaming.retired = *retired;
    auto renamed = from.directory->commit([=](DirectoryEdit& edit) { return change(edit, renaming); }, context);
    if (!is_conflict(renamed)) return renamed;
    if (auto paused = back_off(tries, context); !paused) return paused;
  }
}

// The entry to move, as the store has it now: the second half recognises it by being the very same object. Pending
// changes would make another object of it, so they go first; and since an entry has room for one mark, a move that
// ended here is completed first.
Result<EntryPtr> Namespace::committed_source(const Place& from, const RequestContext& context) {
  if (auto flushed = from.directory->flush(context); !flushed) return fail(flushed.error());
  if (auto fresh = from.directory->refresh(std::chrono::nanoseconds(0), context); !fresh) return fail(fresh.error());
  while (true) {
    if (auto finished = finish_move(*from.directory, from.name, context); !finished) return fail(finished.error());
    EntryPtr source = from.directory->find_committed(from.name);
    if (!source || source->deleted) return fail_posix(ENOENT, "no entry '{}'", from.name);
    if (!source->move) return source;
  }
}

Result<void> Namespace::rename_across(const Place& from, const Place& to, RenameMode mode, const AncestryWalk& walk,
                                      const RequestContext& context) {
  for (unsigned tries = 0;; ++tries) {
    auto renamed = cross(from, to, mode, walk, tries, context);
    if (!is_conflict(renamed)) return renamed;
    if (auto paused = back_off(tries, context); !paused) return paused;
  }
}

// Each try looks anew. A conflict says that another host was in the way.
Result<void> Namespace::cross(const Place& from, const Place& to, RenameMode mode, const AncestryWalk& walk,
                              unsigned tries, const RequestContext& context) {
  const auto source = committed_source(from, context);
  if (!source) return fail(source.error());
  if (auto fresh = to.directory->refresh(std::chrono::nanoseconds(0), context); !fresh) return fresh;
  const EntryPtr target = to.directory->find(to.name);
  const bool into_itself = (*source)->id == to.directory->id() ||
                           (mode == RenameMode::exchange && target && target->id == from.directory->id());
  if (into_itself) return fail_posix(EINVAL, "a directory cannot move into itself");
  if (target && target->id == (*source)->id) {  // on its way already, and make_way sees it through
    if (auto finished = make_way(to, **source, mode, context); !finished) return fail(finished.error());
    return mode == RenameMode::no_replace ? fail_posix(EEXIST, "'{}' exists", to.name) : Result<void>();
  }
  Crossing crossing{.source = *source, .partner = mode == RenameMode::exchange ? target : nullptr};
  if (!is_directory(crossing.source) && !is_directory(crossing.partner)) {
    return arrive_and_depart(from, to, crossing, mode, context);
  }
  crossing.attempt = std::max<uint64_t>(environment_.random.next_u64() >> std::min(tries, kMostHalvings), 1);
  if (auto apart = announce_and_look(from, to, crossing, walk, context); !apart) return apart;
  auto crossed = arrive_and_depart(from, to, crossing, mode, context);
  if (crossed) return crossed;
  take_back(from, to, crossing);
  if (crossing.was_sent) committer_->add(to.directory, environment_.clock.steady_now());
  return crossed;
}

Result<void> Namespace::arrive_and_depart(const Place& from, const Place& to, Crossing& crossing, RenameMode mode,
                                          const RequestContext& context) {
  auto retired = make_way(to, *crossing.source, mode, context);
  if (!retired) return fail(retired.error());
  EntryPtr source = crossing.source;
  if (is_directory(source)) {
    source = live(from.directory->find_committed(from.name));
    const bool is_announced = source && source->id == crossing.source->id && is_leaving(*source, crossing.attempt);
    if (!is_announced) return fail(Errc::conflict, "the move of '{}' was called off", from.name);
  }
  const Renaming renaming{.from = from.name,
                          .to = to.name,
                          .mode = mode,
                          .retired = *retired,
                          .attempt = crossing.attempt,
                          .now = environment_.clock.wall_now(),
                          .keep_versions = environment_.format.keep_versions};
  crossing.was_sent = true;
  // The new name before the old one goes: a crash in between leaves the entry under both names, with a mark that says
  // so. The other order would leave it under none.
  auto arrived = to.directory->commit(
      [=, origin = from.directory->id()](DirectoryEdit& edit) { return arrive(edit, *source, origin, renaming); },
      context);
  return arrived ? depart(from, to, source, context) : arrived;
}

// The target's record is in the store. So the rename of a file has happened, and this cannot fail: the rest is done now
// if possible, and otherwise in the background, or by the next host that loads the target. A directory's happens with
// the source's record.
Result<void> Namespace::depart(const Place& from, const Place& to, const EntryPtr& source,
                               const RequestContext& context) {
  const EntryPtr arrived = to.directory->find_committed(to.name);
  const bool still_marked = arrived && arrived->id == source->id && arrived->move;
  if (!still_marked && is_directory(source)) return see_through(from, to, source, context);
  if (!still_marked) {  // another host was faster, or the entry has moved on with its mark
    committer_->add(to.directory, environment_.clock.steady_now());
    return {};
  }
  const Mutation departure = leave(departure_of(*to.directory, to.name, *arrived, source));
  const auto departed = from.directory->commit(departure, context);
  if (departed) {
    const auto cleared = to.directory->commit_soon(clear_mark(to.name, source->id, *arrived->move));
    if (!cleared) committer_->add(to.directory, environment_.clock.steady_now());
    if (arrived->move->replacement) {
      committer_->add(from.directory, environment_.clock.steady_now() + 2 * environment_.options.commit_delay);
    }
    return {};
  }
  if (is_directory(source)) {
    if (is_conflict(departed)) return see_through(from, to, source, context);
    return fail(Errc::unavailable, "a move that is completed or called off later: {}", departed.error().to_string());
  }
  // The source was written to since it was read: finish_move takes the new version over before the name goes.
  if (is_conflict(departed) && finish_move(*to.directory, to.name, context)) return {};
  log::warning("'{}' has moved to '{}', its old name goes later: {}", from.name, to.name, departed.error().to_string());
  // At least this host shows the old name no more. Whether that is ever committed does not matter: the job completes
  // it.
  (void)from.directory->commit_soon(departure);
  committer_->add(to.directory, environment_.clock.steady_now());
  return {};
}

// Another host has completed the move of the directory `source`, or has called it off.
Result<void> Namespace::see_through(const Place& from, const Place& to, const EntryPtr& source,
                                    const RequestContext& context) {
  if (auto finished = finish_moves(*to.directory, context); !finished) return finished;
  if (auto fresh = from.directory->refresh(std::chrono::nanoseconds(0), context); !fresh) return fresh;
  const bool has_left = !find_standing(*from.directory, from.name, source->id).entry &&
                        !has_left_otherwise(*from.directory, source->id, source->leaving->attempt);
  return has_left ? Result<void>() : fail(Errc::conflict, "the move of '{}' was called off", from.name);
}

}  // namespace cairn
