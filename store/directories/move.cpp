// The second half of a rename between directories. The target's entry carries a Move: "I also stood there". Completing
// it means: take over the versions that were published under the old name since, free (or exchange) the old name, clear
// the mark. Every step looks before it writes and any number of hosts may do them at once.
#include "store/directories/move.h"

#include <algorithm>

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

bool is_marked(const EntryPtr& entry, EntryId id, const Move& move) {
  return entry && entry->id == id && entry->move && entry->move->directory == move.directory &&
         entry->move->name == move.name;
}

Mutation take_over(const std::string& name, const EntryPtr& moved, const EntryPtr& left, size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const EntryPtr entry = edit.find_any(name);
    if (!is_marked(entry, moved->id, *moved->move)) return {};
    edit.put(name, with_newer(*entry, *left, keep_versions));
    return {};
  };
}

// In a directory that was removed meanwhile, with all its names, nothing is left to change.
Result<void> commit_unless_removed(Directory& directory, Mutation mutation, const RequestContext& context) {
  auto committed = directory.commit(std::move(mutation), context);
  return !committed && directory.removed() ? Result<void>() : committed;
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

Mutation leave(const std::string& name, const EntryPtr& entry, const EntryPtr& replacement, Nanos now) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const EntryPtr found = edit.find(name);
    if (!found || found->id != entry->id) return {};
    if (found != entry) return fail(Errc::conflict, "'{}' was changed while it was moved", name);
    if (replacement) {
      edit.put(name, *replacement);
    } else {
      edit.forget(name);
    }
    edit.touch(now);
    return {};
  };
}

Mutation clear_mark(const std::string& name, EntryId id, const Move& move) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    const EntryPtr entry = edit.find_any(name);
    if (!is_marked(entry, id, move)) return {};
    Entry cleared = *entry;
    cleared.move.reset();
    edit.put(name, std::move(cleared));
    return {};
  };
}

// The moved entry where it came from, if it still stands there: committed, as of now, and with this host's own pending
// changes. Not by open(), which would first complete the moves that ended there, and so on from directory to directory.
Result<EntryPtr> Namespace::left_behind(const Move& move, EntryId id, std::shared_ptr<Directory>& source,
                                        const RequestContext& context) {
  auto opened = find_or_load(move.directory, context);
  if (!opened && opened.error().code() == Errc::not_found) return EntryPtr();
  if (!opened) return fail(std::move(opened).error());
  source = std::move(opened->directory);
  if (auto flushed = source->flush(context); !flushed) return fail(std::move(flushed).error());
  if (auto fresh = source->refresh(std::chrono::nanoseconds(0), context); !fresh) return fail(std::move(fresh).error());
  const EntryPtr entry = source->find_committed(move.name);
  const bool stands = entry && entry->id == id && !entry->deleted && !source->removed();
  return stands ? entry : nullptr;
}

// The order matters. First the source is read, then the target: if the mark is still there, then the entry in the
// source is the one that was moved, and not one that came back there after another host had completed the move (coming
// back clears the mark first). Newer versions are taken over before the name is freed: after a crash in between they
// are found in the target and not added again, while the other order would lose them. The name is freed only if nothing
// happened to it since it was read; else all begins anew.
Result<void> Namespace::finish_move(Directory& target, const std::string& name, const RequestContext& context) {
  while (true) {
    if (auto alive = context.check(); !alive) return fail(alive.error().in("complete a move"));
    EntryPtr moved = target.find_committed(name);
    if (!moved || !moved->move) return {};
    const Move move = *moved->move;
    std::shared_ptr<Directory> source;
    const auto left = left_behind(move, moved->id, source, context);
    if (!left) return fail(left.error().in(fmt::format("complete the move of '{}'", name)));
    if (!*left) return commit_unless_removed(target, clear_mark(name, moved->id, move), context);

    if (auto fresh = target.refresh(std::chrono::nanoseconds(0), context); !fresh) return fresh;
    moved = target.find_committed(name);
    if (!is_marked(moved, (*left)->id, move)) continue;
    if (has_newer(*moved, **left)) {
      const Mutation taking_over = take_over(name, moved, *left, environment_.format.keep_versions);
      if (auto taken = commit_unless_removed(target, taking_over, context); !taken) return taken;
    }
    const Mutation leaving = leave(move.name, *left, move.replacement, environment_.clock.wall_now());
    const auto departed = commit_unless_removed(*source, leaving, context);
    if (!departed && departed.error().code() != Errc::conflict) return departed;
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
