// The second half of a rename between directories. The target's entry carries a Move: "I also stood there". Completing
// it means: take over what the source got since, free (or exchange) the source's name, clear the mark. Every step looks
// before it writes and any number of hosts may do them at once.
//
// What an exchange puts into the source carries a mark of its own that leads back, and is rid of it only after the
// target's mark is gone. So as long as the target's mark is there, the source tells whether the replacement has come:
// it, or what was left of it when it was unlinked, is in the source's listing and nowhere else.
//
// A directory departs only if it carries its attempt's notice (crossing.cpp). Without that the move was called off, for
// good, and what has arrived in the target goes.
#include "store/directories/move.h"

#include <algorithm>

#include "store/directories/entry_edits.h"
#include "store/directories/leaving.h"
#include "store/directories/namespace.h"

namespace cairn {

namespace {

bool same_version(const Version& a, const Version& b) {
  return a.published == b.published && a.session == b.session && a.size_bytes == b.size_bytes && a.host == b.host;
}

bool lists(const Entry& entry, const Version& version) {
  return std::any_of(entry.versions.begin(), entry.versions.end(),
                     [&](const VersionPtr& listed) { return same_version(*listed, version); });
}

// The versions that were published to `left` after `moved` was taken from it.
std::vector<VersionPtr> newer_versions(const Entry& left, const Entry& moved) {
  const auto last_common = std::find_if(left.versions.rbegin(), left.versions.rend(),
                                        [&](const VersionPtr& version) { return lists(moved, *version); });
  return {last_common.base(), left.versions.end()};
}

bool is_marked(const Entry& entry, EntryId id, const Move& move) {
  return entry.id == id && entry.move && entry.move->directory == move.directory && entry.move->name == move.name;
}

bool is_marked(const EntryPtr& entry, EntryId id, const Move& move) { return entry && is_marked(*entry, id, move); }

// The entry `id` with this mark, live or deleted: under `name`, or under another if it was renamed or put aside.
FoundEntry find_marked(const DirectoryEdit& edit, const std::string& name, EntryId id, const Move& move) {
  if (EntryPtr entry = edit.find_any(name); is_marked(entry, id, move)) return {name, std::move(entry)};
  for (auto& [other_name, entry] : edit.list_any()) {
    if (is_marked(entry, id, move)) return {other_name, entry};
  }
  return {name, nullptr};
}

bool lists_id(const DirectoryEdit& edit, EntryId id) {
  const auto entries = edit.list_any();
  return std::any_of(entries.begin(), entries.end(), [id](const auto& named) { return named.second->id == id; });
}

Mutation take_over(const std::string& name, const EntryPtr& moved, const EntryPtr& left, size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_marked(edit, name, moved->id, *moved->move);
    if (!found.entry) return fail(Errc::conflict, "another host has completed the move of '{}'", name);
    edit.put(found.name, with_newer(*found.entry, *left, keep_versions));
    return {};
  };
}

// In a directory that was removed meanwhile, with all its names, nothing is left to change.
Result<void> commit_unless_removed(Directory& directory, Mutation mutation, const RequestContext& context) {
  auto committed = directory.commit(std::move(mutation), context);
  return !committed && directory.removed() ? Result<void>() : committed;
}

bool is_conflict(const Result<void>& result) { return !result && result.error().code() == Errc::conflict; }

// The moved entry where it came from, live, under its old name or another; nullptr if it does not stand there.
EntryPtr left_behind(const Directory& source, const Entry& moved) {
  return find_standing(source, moved.move->name, moved.id).entry;
}

// `left` is what stands of it in the source.
bool is_called_off(const Directory& source, const Entry& moved, const EntryPtr& left) {
  const uint64_t attempt = moved.move->attempt;
  if (attempt == 0) return false;
  return left ? !is_leaving(*left, attempt) : has_left_otherwise(source, moved.id, attempt);
}

// The trace that the directory `id` has left here, if that is of another attempt.
bool has_other_trace(const DirectoryEdit& edit, EntryId id, uint64_t attempt) {
  const auto entries = edit.list_any();
  return std::any_of(entries.begin(), entries.end(), [&](const auto& named) {
    const Entry& entry = *named.second;
    return entry.id == id && entry.deleted && entry.leaving && entry.leaving->attempt != attempt;
  });
}

}  // namespace

Entry with_newer(const Entry& moved, const Entry& left, size_t keep_versions) {
  Entry merged = moved;
  for (const VersionPtr& version : newer_versions(left, moved)) {
    const auto later = std::find_if(merged.versions.rbegin(), merged.versions.rend(),
                                    [&](const VersionPtr& listed) { return listed->published <= version->published; });
    merged.versions.insert(later.base(), version);
  }
  if (left.attributes.ctime > moved.attributes.ctime) merged.attributes = left.attributes;
  Entry nothing;
  nothing.first_version = merged.first_version;
  return merged.over(nothing, keep_versions);  // no more versions than a name may list
}

bool has_newer(const Entry& moved, const Entry& left) {
  return !newer_versions(left, moved).empty() || left.attributes.ctime > moved.attributes.ctime;
}

Mutation leave(Departure departure) {
  return [d = std::move(departure)](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_entry(edit, d.name, d.id);
    const bool has_come = !d.replacement || lists_id(edit, d.replacement->id);
    const bool is_called_off =
        d.attempt != 0 && (found.entry ? !is_leaving(*found.entry, d.attempt) : has_other_trace(edit, d.id, d.attempt));
    if (is_called_off) return fail(Errc::conflict, "the move of '{}' was called off", d.name);
    if (!found.entry && has_come) return {};
    if (found.entry != d.left) return fail(Errc::conflict, "'{}' was changed while it was moved", d.name);
    if (found.entry) {
      edit.forget(found.name);
      edit.leave_trace(found.name, *found.entry, d.now);
    }
    if (!has_come) edit.put_visibly(found.name, *d.replacement, d.keep_versions);
    edit.touch(d.now);
    return {};
  };
}

Mutation clear_mark(const std::string& name, EntryId id, const Move& move) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_marked(edit, name, id, move);
    if (found.entry) edit.unmark(found.name);
    return {};
  };
}

Mutation clear_mark_of(const std::string& name, const EntryPtr& moved) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_marked(edit, name, moved->id, *moved->move);
    if (found.entry && found.entry != moved) return fail(Errc::conflict, "'{}' was changed meanwhile", name);
    if (found.entry) edit.unmark(found.name);
    return {};
  };
}

Mutation bring_home(const std::string& name, const EntryPtr& moved, Nanos now, size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_marked(edit, name, moved->id, *moved->move);
    if (!found.entry) return {};
    edit.unmark(found.name);
    const EntryPtr replacement = found.entry->move->replacement;
    if (!replacement || lists_id(edit, replacement->id)) return {};
    edit.put_visibly(found.name, *replacement, keep_versions);
    edit.touch(now);
    return {};
  };
}

Mutation give_back_place(const std::string& name, const EntryPtr& moved, Nanos now, size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_marked(edit, name, moved->id, *moved->move);
    if (!found.entry) return {};
    if (found.entry != moved) return fail(Errc::conflict, "'{}' was changed meanwhile", name);
    const EntryPtr replacement = moved->move->replacement;
    const bool leaves_nothing = replacement || moved->versions.empty();
    edit.unmark(found.name);
    edit.remove(found.name, now);
    if (leaves_nothing) edit.take(found.name);
    if (replacement && !lists_id(edit, replacement->id)) edit.put_visibly(found.name, *replacement, keep_versions);
    edit.touch(now);
    return {};
  };
}

Departure Namespace::departure_of(const Directory& target, const std::string& name, const Entry& moved,
                                  const EntryPtr& left) const {
  Departure departure{.name = moved.move->name,
                      .id = moved.id,
                      .left = left,
                      .replacement = {},
                      .attempt = moved.move->attempt,
                      .now = environment_.clock.wall_now(),
                      .keep_versions = environment_.format.keep_versions};
  if (moved.move->replacement) {
    departure.replacement = *moved.move->replacement;
    departure.replacement->move = Move{.directory = target.id(), .name = name, .replacement = nullptr, .attempt = 0};
  }
  return departure;
}

// The directory that the entry came from, with all that is in the store as of now; nullptr if it is gone for good.
Result<std::shared_ptr<Directory>> Namespace::fresh_source(const Move& move, const RequestContext& context) {
  auto opened = find_or_load(move.directory, context);
  if (!opened && opened.error().code() == Errc::not_found) return nullptr;
  if (!opened) return fail(std::move(opened).error());
  Directory& source = *opened->directory;
  if (source.removed()) return nullptr;
  const auto flushed = source.flush(context);
  if (!flushed && !source.removed()) return fail(flushed.error());
  if (auto fresh = source.refresh(std::chrono::nanoseconds(0), context); !fresh) return fail(std::move(fresh).error());
  if (source.removed()) return nullptr;
  return std::move(opened->directory);
}

// The other end of an exchange: the entry of `source` that `id`, now in `target`, is the replacement of. It has come,
// so that mark has done its work, and must go before the one on `id` does.
Result<void> Namespace::clear_counterpart(Directory& source, EntryId target, EntryId id,
                                          const RequestContext& context) {
  const auto [name, entry] = source.find_committed_if([&](const Entry& candidate) {
    return candidate.move && candidate.move->directory == target && candidate.move->replacement &&
           candidate.move->replacement->id == id;
  });
  if (!entry) return {};
  return commit_unless_removed(source, clear_mark(name, entry->id, *entry->move), context);
}

// The source has been read, now the target: if the mark is still there, then the entry in the source is the one that
// was moved, and not one that came back there after another host had completed the move (coming back clears the mark
// first). Then the source's name is freed only if nothing happened to it since it was read.
Result<void> Namespace::depart_late(Directory& target, const std::string& name, const Entry& seen, Directory& source,
                                    const EntryPtr& left, const RequestContext& context) {
  // This host's own pending change may be what clears the mark.
  if (auto flushed = target.flush(context); !flushed) return target.removed() ? Result<void>() : flushed;
  if (auto fresh = target.refresh(std::chrono::nanoseconds(0), context); !fresh) return fresh;
  const EntryPtr moved = target.find_committed(name);
  if (!is_marked(moved, seen.id, *seen.move)) return {};
  if (left && has_newer(*moved, *left)) {
    const Mutation taking_over = take_over(name, moved, left, environment_.format.keep_versions);
    const auto taken = commit_unless_removed(target, taking_over, context);
    if (is_conflict(taken)) return {};  // what is left in the source is no longer ours to free
    if (!taken) return taken;
  }
  const auto departed = commit_unless_removed(source, leave(departure_of(target, name, *moved, left)), context);
  return is_conflict(departed) ? Result<void>() : departed;
}

// The source has been read, and the move was called off there, for good. As in depart_late: the mark must still be
// there.
Result<void> Namespace::undo_arrival(Directory& target, const std::string& name, const Entry& seen,
                                     const RequestContext& context) {
  if (auto fresh = target.refresh(std::chrono::nanoseconds(0), context); !fresh) return fresh;
  const EntryPtr moved = target.find_committed(name);
  if (!is_marked(moved, seen.id, *seen.move)) return {};
  const Mutation undoing =
      give_back_place(name, moved, environment_.clock.wall_now(), environment_.format.keep_versions);
  const auto undone = commit_unless_removed(target, undoing, context);
  return is_conflict(undone) ? Result<void>() : undone;
}

// Each round looks at both directories, and goes one step further or finds that another host has.
Result<void> Namespace::finish_move(Directory& target, const std::string& name, const RequestContext& context) {
  while (true) {
    if (auto alive = context.check(); !alive) return fail(alive.error().in("complete a move"));
    const EntryPtr moved = target.find_committed(name);
    if (!moved || !moved->move) return {};
    const EntryPtr& replacement = moved->move->replacement;
    const auto source = fresh_source(*moved->move, context);
    if (!source) return fail(source.error().in(fmt::format("complete the move of '{}'", name)));
    if (!*source) {
      const Mutation homeward =
          bring_home(name, moved, environment_.clock.wall_now(), environment_.format.keep_versions);
      return commit_unless_removed(target, homeward, context);
    }
    const EntryPtr left = left_behind(**source, *moved);
    if (is_called_off(**source, *moved, left)) {
      if (auto undone = undo_arrival(target, name, *moved, context); !undone) return undone;
      continue;
    }
    const bool has_come =
        !replacement || (*source)->find_committed_if([&](const Entry& e) { return e.id == replacement->id; }).second;
    if (left || !has_come) {
      if (auto departed = depart_late(target, name, *moved, **source, left, context); !departed) return departed;
      continue;
    }
    if (auto cleared = clear_counterpart(**source, target.id(), moved->id, context); !cleared) return cleared;
    const auto ended = commit_unless_removed(target, clear_mark_of(name, moved), context);
    if (!is_conflict(ended)) {
      if (replacement)
        committer_->add(*source, environment_.clock.steady_now() + 2 * environment_.options.commit_delay);
      return ended;
    }
  }
}

Result<void> Namespace::finish_moves(Directory& target, const RequestContext& context) {
  Result<void> first;
  for (const std::string& name : target.unfinished_moves()) {
    auto finished = finish_move(target, name, context);
    if (!finished && first) first = std::move(finished);
  }
  return first;
}

}  // namespace cairn
