// What a failed close left behind: found again, published late, or left to a person.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/posix_error.h"
#include "fs/errno.h"
#include "fs/publisher.h"

namespace cairn {

namespace {

// Answers of publish_late that no later attempt changes by itself.
bool needs_a_person(const Error& error) {
  return error.posix() == EEXIST || error.posix() == EPERM || error.posix() == ENOENT || error.posix() == ENOSPC;
}

}  // namespace

std::string_view to_string(KeptState state) {
  switch (state) {
    case KeptState::queued: return "queued";
    case KeptState::waiting: return "waiting";
    case KeptState::undecided: return "undecided";
    case KeptState::never_closed: return "never closed";
    case KeptState::other_store: return "other store";
  }
  return "unknown";
}

// In the order in which they were closed, whichever was opened first, and all of them before the first is published. An
// order that one of them has is nobody else's, also if it is queued no longer.
void Publisher::adopt(std::vector<KeptDraft> drafts, const RequestContext& context) {
  std::vector<KeptFile> files;
  for (KeptDraft& draft : drafts) {
    if (auto file = left_by_earlier(std::move(draft))) files.push_back(std::move(*file));
  }
  std::ranges::stable_sort(files, {}, [](const KeptFile& file) { return file.identity.order; });
  queue_.hold();
  for (const KeptFile& file : files) queue_.continue_after(file.identity.order);
  for (KeptFile& file : files) wait_again(std::move(file), context);
  queue_.let_go();
}

// nullopt: nobody can tell what it is.
std::optional<KeptFile> Publisher::left_by_earlier(KeptDraft draft) const {
  KeptFile file;
  file.number = draft.number;
  auto identity = KeptIdentity::from_json(draft.description.identity);
  if (!identity) {
    log::error("kept draft {} stays where it is: {}", draft.number, identity.error().to_string());
    return std::nullopt;
  }
  file.identity = std::move(*identity);
  if (!file.identity.knows_base && draft.description.base) file.identity.base = stamp_of(*draft.description.base);
  file.error = file.identity.error.empty() ? "kept by an earlier process" : file.identity.error;
  file.size_bytes = draft.description.layout.size_bytes();
  file.due = system_clock().steady_now();
  const std::string& store = draft.description.store_id;
  if (!store.empty() && store != sources_.environment.format.store_id) {
    file.state = KeptState::other_store;
    file.error = fmt::format("belongs to the store {}", store);
  } else if (!draft.is_kept) {
    file.state = KeptState::never_closed;
    file.error = "it was being written when its process ended";
  } else if (file.identity.is_undecided) {
    file.state = KeptState::undecided;
  } else if (file.identity.order != 0 && file.identity.error.empty()) {
    file.state = KeptState::queued;
    file.error = "closed by an earlier process";
    file.is_late = true;
  }
  file.at_rest = std::make_shared<KeptDraft>(std::move(draft));
  return file;
}

void Publisher::wait_again(KeptFile file, const RequestContext& context) {
  const uint64_t number = file.number;
  const KeptState state = file.state;
  const CloseQueue::Place queued{file.identity.order, file.identity.directory, nullptr, number, file.size_bytes};
  if (state == KeptState::queued) {
    log::info("'{}' was closed by an earlier process, and is queued as draft {}", file.identity.path, number);
  } else {
    log::warning("'{}' ({}): kept draft {}, {}", file.identity.path, file.error, number, to_string(state));
  }
  {
    const MutexLock lock(mutex_);
    kept_[number] = std::move(file);
  }
  if (state != KeptState::waiting && state != KeptState::queued) return;
  if (auto placed = place(number, context); !placed) log::warning("{}", placed.error().to_string());
  if (state == KeptState::queued) return queue_.enter_again(queued);
  {
    const MutexLock lock(mutex_);
    kicked_ = true;
  }
  changed_.notify_all();
}

Result<std::shared_ptr<Draft>> Publisher::opened(uint64_t number, const RequestContext& context) {
  const auto kept = find(number);
  if (!kept) return fail(Errc::not_found, "no kept draft {}", number);
  if (kept->draft) return kept->draft;
  auto draft = open_kept_draft(sources_.environment, sources_.reader, sources_.writer, *kept->at_rest, context);
  if (!draft) return fail(as_io_error(std::move(draft).error()));
  const MutexLock lock(mutex_);
  const auto place = kept_.find(number);
  if (place == kept_.end()) {
    (*draft)->release();
    return fail(Errc::not_found, "kept draft {} is gone", number);
  }
  place->second.draft = std::move(*draft);
  return place->second.draft;
}

// A node that takes the bytes of a kept draft, held and open. Who reads the file natively goes on with what it is.
FileNodePtr Publisher::open_to_show(const NodePlace& place, const EntryPtr& entry) {
  while (true) {
    const FileNodePtr node = nodes_.hold_file(place, entry);
    const auto bytes = nodes_.open(*node, OpenMode::cached, [&](const VersionPtr& version) {
      return std::make_shared<FileBytes>(sources_, version, PageSink(),
                                         [this, of = node.get()] { return identify(*of); });
    });
    if (bytes) return node;
    nodes_.retire_native(node->ino);
    nodes_.release(node->id);
  }
}

// Finds the file that the draft belongs to, and holds it.
Result<void> Publisher::place(uint64_t number, const RequestContext& context) {
  auto turn = opening_.take(context);
  if (!turn) return fail(std::move(turn).error());
  auto kept = find(number);
  if (!kept || kept->node) return {};
  auto directory = open_directory_(kept->identity.directory, context);
  const bool is_gone = directory ? (*directory)->removed() : directory.error().code() == Errc::not_found;
  if (is_gone) {
    undecided(number, "its directory is gone");
    return fail(Errc::not_found, "'{}': its directory is gone", kept->identity.path);
  }
  if (!directory) return fail(directory.error().in(kept->identity.path));
  if (auto draft = opened(number, context); !draft) return fail(draft.error().in(kept->identity.path));
  if (kept->state == KeptState::queued) list_again(*kept, **directory);
  const FoundEntry found = find_entry(**directory, kept->identity.name, kept->identity.file.id);
  const EntryPtr entry = found.entry ? found.entry : std::make_shared<const Entry>(kept->identity.file);
  const DirectoryNodePtr parent = nodes_.hold_directory(*directory, {});
  const FileNodePtr node = open_to_show({parent, found.name}, entry);
  {
    const MutexLock lock(mutex_);
    const auto place = kept_.find(number);
    if (place != kept_.end()) {
      place->second.node = node;
      kept = place->second;
    }
  }
  if (kept->node) {
    show(*kept, entry);
  } else {
    nodes_.close(*node, OpenMode::cached);
  }
  nodes_.release(node->id);
  nodes_.release(parent->id);
  return {};
}

// A new file that the store has not heard of is in its directory here, and nobody else on this host takes its name. The
// record that has its bytes makes it there.
void Publisher::list_again(const KeptFile& kept, Directory& directory) const {
  const KeptIdentity& identity = kept.identity;
  if (identity.was_listed || find_entry(directory, identity.name, identity.file.id).entry) return;
  const EntryPtr there = directory.find_any(identity.name);
  const bool is_replaced = there && there->id == identity.replaces && !there->deleted &&
                           there->attributes.uid == identity.file.attributes.uid;  // unlinked for it, as it was here
  const bool is_free = !there || (there->deleted && there->id != identity.file.id);
  if (!is_free && !is_replaced) return;  // the name has gone on, or has ended
  Entry file = identity.file;
  file.versions.clear();
  file.first_version = 1;
  const auto create = [remove = remove_entry(identity.name, identity.replaces, identity.published),
                       put = create_entry(identity.name, file, identity.session, false,
                                          sources_.environment.format.keep_versions)](DirectoryEdit& edit) {
    if (auto removed = remove(edit); !removed) return removed;
    return put(edit);
  };
  // Where nothing else is committed in order, it must not come after what is.
  auto entered = in_order() ? directory.commit_in_order(create, identity.order) : directory.commit_soon(create);
  if (!entered) {
    log::warning("'{}' is not listed before it is published: {}", identity.path, entered.error().to_string());
  }
}

// A program that saw the bytes before a restart sees them after it, unless the file has gone on meanwhile.
void Publisher::show(const KeptFile& kept, const EntryPtr& entry) {
  const KeptIdentity& identity = kept.identity;
  const LateVersion late{identity.name, identity.file, nullptr, identity.base, identity.own};
  const VersionPtr current = entry->current();
  const bool has_only_begun = current && current->session == identity.session;
  if (!has_only_begun && !late.was_written_on(current)) return;
  if (const auto bytes = nodes_.view(*kept.node).bytes) {
    bytes->adopt({kept.draft, current, identity.own, {identity.published, identity.session}, identity.mtime});
  }
}

Result<void> Publisher::place_and_attempt(uint64_t number, const RequestContext& context) {
  auto done = place(number, context);
  auto kept = find(number);
  if (!kept) return fail(Errc::not_found, "no kept draft {}", number);
  if (done && kept->node) {
    stamp(number);
    auto turn = turns_.acquire(kept->node->ino, context);
    if (turn) kept = find(number);
    if (turn && !kept) return {};
    done = turn ? attempt_kept(*kept, Wins::over_its_base, context) : fail(std::move(turn).error());
  }
  if (!done) failed(*kept, done.error());
  return done;
}

// What was never closed has no stamp yet. It is written down before the first attempt.
void Publisher::stamp(uint64_t number) {
  {
    const MutexLock lock(mutex_);
    const auto kept = kept_.find(number);
    if (kept == kept_.end() || kept->second.identity.session != 0) return;
    KeptIdentity& identity = kept->second.identity;
    identity.session = sources_.environment.random.next_u64() | 1;
    identity.published = sources_.environment.clock.wall_now();
  }
  describe(number);
}

// With the file's turn. The stamp is the same each time, so that an attempt whose success nobody heard of is
// recognised.
Result<void> Publisher::attempt_kept(const KeptFile& kept, Wins wins, const RequestContext& context) {
  auto sealed = seal_kept(kept, context);
  if (!sealed) return fail(std::move(sealed).error());
  auto entry = entries_.acquire(kept.node->ino, context);
  if (!entry) return fail(std::move(entry).error());
  auto done = wins == Wins::always ? commit(kept.node, *sealed, context) : commit_late(kept, *sealed, context);
  if (!done) return done;
  note_published(*kept.node, kept.draft, *sealed);
  tell_where(kept, *sealed);
  forget(kept.number);
  return {};
}

Result<VersionPtr> Publisher::seal_kept(const KeptFile& kept, const RequestContext& context) {
  auto content = kept.draft->seal(context);
  if (!content) return fail(as_io_error(std::move(content).error()));
  Version version{std::move(*content), {}, {}, {}, {}};
  version.published = kept.identity.published;
  version.session = kept.identity.session;
  version.host = sources_.environment.options.host;
  const auto bytes = kept.node ? nodes_.view(*kept.node).bytes : nullptr;
  const bool is_shown = bytes && bytes->frozen() == kept.draft;
  version.mtime = is_shown ? bytes->unpublished_mtime().value_or(kept.identity.mtime) : kept.identity.mtime;
  return std::make_shared<const Version>(std::move(version));
}

Result<void> Publisher::commit_late(const KeptFile& kept, const VersionPtr& version, const RequestContext& context) {
  if (auto followed = follow_move(kept.node, context); !followed) return followed;
  const FileView view = nodes_.view(*kept.node);
  if (view.unlinked) return fail_posix(ENOENT, "another file was renamed over it");
  return view.place.parent->directory->commit(late_publication(kept, view, version), context);
}

Mutation Publisher::late_publication(const KeptFile& kept, const FileView& view, const VersionPtr& version) const {
  LateVersion late{view.place.name,          *view.entry,           version, kept.identity.base, kept.identity.own,
                   kept.identity.was_listed, kept.identity.replaces};
  late.file.attributes.uid = kept.identity.file.attributes.uid;
  late.file.versions.clear();
  late.file.first_version = 1;
  return publish_late(late, sources_.environment.format.keep_versions);
}

void Publisher::tell_where(const KeptFile& kept, const VersionPtr& version) const {
  const FileView view = nodes_.view(*kept.node);
  const FoundEntry found = find_entry(*view.place.parent->directory, view.place.name, kept.node->ino);
  const VersionPtr current = found.entry ? found.entry->current() : nullptr;
  if (current && stamp_of(*current) == stamp_of(*version)) {
    log::info("'{}' is published after all", kept.identity.path);
  } else if (current && current->host == sources_.environment.options.host) {
    log::info("'{}' is published after all, before what this host has saved since", kept.identity.path);
  } else {
    log::warning("'{}' has gone on without what was kept of it: that is in its history now, behind what is current",
                 kept.identity.path);
  }
}

// Not found out in vain: a person decides, or the next attempt follows.
void Publisher::failed(const KeptFile& kept, const Error& error) {
  if (needs_a_person(error)) return undecided(kept.number, error.message());
  const bool has_come = kept.node && !kept.identity.was_listed && is_listed(*kept.node);
  {
    const MutexLock lock(mutex_);
    const auto place = kept_.find(kept.number);
    if (place == kept_.end()) return;
    KeptFile& file = place->second;
    file.error = error.to_string();
    file.identity.was_listed = file.identity.was_listed || has_come;
    file.delay = std::clamp(file.delay * 2, delays_.first, delays_.most);
    file.due = system_clock().steady_now() + file.delay;
  }
  if (has_come) describe(kept.number);
}

// The mount shows what the store calls current again.
void Publisher::undecided(uint64_t number, const std::string& why) {
  {
    const MutexLock lock(mutex_);
    const auto kept = kept_.find(number);
    if (kept == kept_.end()) return;
    queue_.leave(kept->second.identity.order);
    if (kept->second.state == KeptState::queued) kept->second.unreported = true;
    kept->second.state = KeptState::undecided;
    kept->second.error = why;
    kept->second.identity.error = why;
    kept->second.identity.is_undecided = true;
  }
  const auto kept = find(number);
  if (!kept) return;
  log::warning("'{}' stays kept as draft {} until somebody decides: {}", kept->identity.path, number, why);
  hide(*kept);
  describe(number);
}

// Its bytes are shown no longer. Pages that were read of them go, and so do those that were read meanwhile.
void Publisher::hide(const KeptFile& kept) {
  if (!kept.node) return;
  const auto bytes = nodes_.view(*kept.node).bytes;
  if (!bytes) return;
  bytes_change_(kept.node->id);
  bytes->let_go(kept.draft);
  bytes_change_(kept.node->id);
}

Result<void> Publisher::publish_waiting(const RequestContext& context) {
  Result<void> first;
  for (const KeptFile& kept : this->kept()) {
    if (kept.state != KeptState::waiting) continue;
    auto done = place_and_attempt(kept.number, context);
    const auto after = find(kept.number);
    if (!done && after && after->state == KeptState::waiting && first) {
      first = fail(done.error().in(fmt::format("publish '{}'", kept.identity.path)));
    }
  }
  return first;
}

Result<void> Publisher::publish_kept(uint64_t number, const RequestContext& context) {
  const auto kept = find(number);
  if (!kept) return fail(Errc::not_found, "no kept draft {}", number);
  if (kept->state == KeptState::other_store) {
    return fail(Errc::invalid_argument, "'{}' {}: publish it there", kept->identity.path, kept->error);
  }
  if (kept->state == KeptState::queued && !kept->is_late) return drain(context);
  if (kept->state == KeptState::undecided) return publish_anew(*kept, context);
  return place_and_attempt(number, context);
}

// As a person has decided: under its name, if that is free by now; else as any other. A file of its own has its id from
// the first try on, so that the next one finds it where a commit was made of which nobody heard.
Result<void> Publisher::publish_anew(const KeptFile& kept, const RequestContext& context) {
  const KeptIdentity& identity = kept.identity;
  auto directory = open_directory_(identity.directory, context);
  if (!directory) return fail(directory.error().in(identity.path));
  if (auto fresh = (*directory)->refresh(std::chrono::nanoseconds(0), context); !fresh) {
    return fail(fresh.error().in(identity.path));
  }
  const bool is_there = find_entry(**directory, identity.name, identity.file.id).entry != nullptr;
  if (is_there && !identity.is_anew) return place_and_attempt(kept.number, context);
  if (auto draft = opened(kept.number, context); !draft) return fail(draft.error().in(identity.path));
  make_anew(kept.number);
  stamp(kept.number);
  const auto stamped = find(kept.number);
  if (!stamped) return {};
  auto version = seal_kept(*stamped, context);
  if (!version) return fail(version.error().in(identity.path));
  const LateVersion late{identity.name, stamped->identity.file, *version, {}, {}};
  const auto done = (*directory)->commit(publish_late(late, sources_.environment.format.keep_versions), context);
  if (!done) return fail(done.error().in(identity.path));
  ++sources_.environment.counters.versions_published;
  log::info("'{}' is published, as asked", identity.path);
  forget(kept.number);
  return {};
}

void Publisher::make_anew(uint64_t number) {
  {
    const MutexLock lock(mutex_);
    const auto kept = kept_.find(number);
    if (kept == kept_.end() || kept->second.identity.is_anew) return;
    kept->second.identity.is_anew = true;
    kept->second.identity.file.id = fresh_entry_id(sources_.environment.random);
  }
  describe(number);
}

Result<void> Publisher::discard_kept(uint64_t number) {
  const auto kept = find(number);
  if (!kept) return fail(Errc::not_found, "no kept draft {}", number);
  EntryLocks::Held turn;
  if (kept->node) {  // an attempt under way ends first
    auto taken = turns_.acquire(kept->node->ino, sources_.environment.background(Cause::write_back));
    if (!taken) return fail(taken.error().in(kept->identity.path));
    turn = std::move(*taken);
  }
  if (!find(number)) return fail(Errc::not_found, "draft {} has just been published", number);
  log::warning("kept draft {} is discarded, as asked", number);
  hide(*kept);
  forget(number);
  if (kept->state == KeptState::queued && kept->node) unlist(kept->node);
  return {};
}

// A new file of which nothing is left, and the store has not heard, is none.
void Publisher::unlist(const FileNodePtr& node) {
  if (!is_pending(*node) || !kept_of(*node).empty()) return;
  const NodePlace place = nodes_.view(*node).place;
  auto removal = remove_entry(place.name, node->ino, sources_.environment.clock.wall_now());
  if (auto done = change_soon(place.parent->directory, std::move(removal)); !done) {
    log::warning("'{}' is left without its bytes: {}", nodes_.path(place), done.error().to_string());
  }
}

Result<std::shared_ptr<Draft>> Publisher::open_kept(uint64_t number, const RequestContext& context) {
  auto turn = opening_.take(context);
  if (!turn) return fail(std::move(turn).error());
  const auto kept = find(number);
  if (kept && kept->state == KeptState::other_store && kept->at_rest->needs_store()) {
    return fail(Errc::invalid_argument, "'{}' {}, and needs bytes of it: export it there", kept->identity.path,
                kept->error);
  }
  return opened(number, context);
}

}  // namespace cairn
