// Closes that return before their commit (StoreOptions::commit_async): kept briefly, then published in order.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/parallel.h"
#include "base/posix_error.h"
#include "fs/errno.h"
#include "fs/publisher.h"

namespace cairn {

namespace {

// Places that share one record, at most.
constexpr size_t kMostOfARun = 1024;

// Whatever comes next would meet it as well, so the queue waits: the store is away, full, takes nothing from us, or is
// not what it was (its bucket is gone). What is wrong with one file alone carries an errno, or is one of these; before
// it is sealed its bytes may be what cannot be read.
bool is_about_the_store(const Error& error, bool is_sealed) {
  if (error.posix() != 0) return false;
  switch (error.code()) {
    case Errc::not_found:
    case Errc::already_exists:
    case Errc::corrupt: return false;
    case Errc::io: return is_sealed;
    default: return true;
  }
}

}  // namespace

Result<void> Publisher::close_in_order(const FileNodePtr& node, uint64_t session, const RequestContext& context) {
  const FileView view = nodes_.view(*node);
  if (!view.bytes || !view.bytes->unpublished() || view.unlinked) return {};
  if (!view.bytes->frozen()) {
    if (auto room = queue_.wait_for_room(context); !room) return room;
  }
  if (const auto entered = enter_queue(node, session)) return keep_in_queue(*entered, context);
  // Another descriptor's close has entered it, and may be about to write it down.
  if (const auto frozen = view.bytes->frozen()) await_kept(frozen->number());
  return {};
}

// nullopt: there is nothing that is not kept already.
std::optional<KeptFile> Publisher::enter_queue(const FileNodePtr& node, uint64_t session) {
  const MutexLock lock(mutex_);
  const FileView view = nodes_.view(*node);
  if (!view.bytes || view.unlinked) return std::nullopt;
  const auto frozen = view.bytes->freeze(session);
  if (!frozen || kept_.contains(frozen->draft->number())) return std::nullopt;
  KeptFile& file = add_kept(node, *frozen);
  file.state = KeptState::queued;
  file.error = "waits for its turn";
  file.being_kept = true;
  file.identity.order = queue_.enter(file.identity.directory);
  return file;
}

// Without a lock, so that those who close together share a sync of the disk. Where this machine cannot keep it, the
// close means the store.
Result<void> Publisher::keep_in_queue(const KeptFile& kept, const RequestContext& context) {
  const auto written = kept.draft->keep_briefly(kept.identity.to_json());
  {
    const MutexLock lock(mutex_);
    if (const auto found = kept_.find(kept.number); found != kept_.end()) found->second.being_kept = false;
  }
  written_.notify_all();
  queue_.ready(kept.identity.order, kept.number, kept.size_bytes);
  if (written) return {};
  log::warning("'{}' cannot be kept here, so its close waits for the store: {}", kept.identity.path,
               written.error().to_string());
  return drain(context);
}

void Publisher::await_kept(uint64_t number) {
  MutexLock lock(mutex_);
  written_.wait(lock, [&]() CAIRN_REQUIRES(mutex_) {
    const auto found = kept_.find(number);
    return found == kept_.end() || !found->second.being_kept;
  });
}

Result<void> Publisher::change_soon(const std::shared_ptr<Directory>& directory, Mutation mutation) {
  if (!in_order()) return directory->commit_soon(std::move(mutation));
  const uint64_t order = queue_.enter(directory->id());
  auto done = directory->commit_in_order(std::move(mutation), order);
  if (done) {
    queue_.ready(order, directory);
  } else {
    queue_.leave(order);
  }
  return done;
}

Result<void> Publisher::drain(const RequestContext& context) { return queue_.wait_until_past(context); }

Result<void> Publisher::tell(const FileNode& node) {
  const MutexLock lock(mutex_);
  if (untold_ == 0) return {};
  for (auto& [number, kept] : kept_) {
    if (kept.node.get() != &node || !kept.untold) continue;
    kept.untold = false;
    --untold_;
    return fail(Errc::io, "publish '{}', as it was closed before: {}", kept.identity.path, kept.error);
  }
  return {};
}

Result<void> Publisher::tell_all() {
  const MutexLock lock(mutex_);
  std::string first;
  size_t count = 0;
  for (auto& [number, kept] : kept_) {
    if (!std::exchange(kept.unreported, false)) continue;
    if (++count == 1) first = fmt::format("'{}': {}", kept.identity.path, kept.error);
  }
  if (count == 0) return {};
  return fail(Errc::io, "{} could not be published since they were closed, the first is {}", count, first);
}

void Publisher::run_queue(const std::stop_token& stop) {
  while (queue_.wait_for_work(stop)) {
    auto context = sources_.environment.background(Cause::write_back);
    context.stop = stop;
    const auto done = publish_run(queue_.next_run(kMostOfARun), context);
    if (done) {
      queue_.succeeded();
    } else if (!stop.stop_requested()) {
      log::warning("what is closed waits for the store: {}", done.error().to_string());
      queue_.failed(done.error());
    }
  }
}

// The failure of what stays in the queue; what is before it has left.
Result<void> Publisher::publish_run(const std::vector<CloseQueue::Place>& places, const RequestContext& context) {
  std::vector<Publication> run;
  for (const CloseQueue::Place& place : places) run.push_back({place, {}, {}, {}});
  find_kept(run, context);
  const auto turns = lock_files(turns_, run, context);
  if (!turns) return fail(turns.error());
  seal_run(run, context);
  const auto entries = lock_files(entries_, run, context);
  if (!entries) return fail(entries.error());
  auto first = trim(run);
  commit_run(run, context);
  for (const Publication& publication : run) {
    if (auto done = conclude(publication); !done && first) first = std::move(done);
  }
  return first;
}

void Publisher::find_kept(std::vector<Publication>& run, const RequestContext& context) {
  for (Publication& publication : run) {
    if (publication.place.changes) continue;
    publication.kept = find(publication.place.draft);
    if (!publication.kept || publication.kept->node) continue;
    publication.outcome = place(publication.place.draft, context);
    publication.kept = find(publication.place.draft);
  }
}

// In the order of their ids, as everybody who takes more than one.
Result<std::vector<EntryLocks::Held>> Publisher::lock_files(EntryLocks& locks, const std::vector<Publication>& run,
                                                            const RequestContext& context) const {
  std::vector<EntryId> ids;
  for (const Publication& publication : run) {
    if (publication.kept && publication.kept->node) ids.push_back(publication.kept->node->ino);
  }
  std::ranges::sort(ids);
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::vector<EntryLocks::Held> held;
  for (const EntryId id : ids) {
    auto taken = locks.acquire(id, context);
    if (!taken) return fail(std::move(taken).error());
    held.push_back(std::move(*taken));
  }
  return held;
}

void Publisher::seal_run(std::vector<Publication>& run, const RequestContext& context) {
  run_in_parallel(sealers_, run.size(), kSealers, [&](size_t i) {
    Publication& publication = run[i];
    if (!publication.kept || !publication.outcome) return;
    auto sealed = seal_kept(*publication.kept, context);
    if (sealed) publication.version = std::move(*sealed);
    if (!sealed) publication.outcome = fail(std::move(sealed).error());
  });
}

// Leaves what can be committed in one record of one directory: nothing after a failure that concerns the store, and
// nothing that a rename has moved elsewhere meanwhile. The failure, if there is one.
Result<void> Publisher::trim(std::vector<Publication>& run) const {
  std::shared_ptr<Directory> directory;
  for (size_t i = 0; i < run.size(); ++i) {
    Publication& publication = run[i];
    // Given up, replaced, or published in another way while it was sealed.
    const auto now = publication.kept ? find(publication.place.draft) : std::nullopt;
    if (!now || now->state != KeptState::queued) publication.kept.reset();
    const bool is_held_up = !publication.outcome && is_about_the_store(publication.outcome.error(), false);
    const auto there = directory_of(publication);
    if (!is_held_up && (!there || !directory || there == directory)) {
      if (there) directory = there;
      continue;
    }
    Result<void> failure;
    if (is_held_up) failure = publication.outcome;
    run.resize(i);
    return failure;
  }
  return {};
}

std::shared_ptr<Directory> Publisher::directory_of(const Publication& publication) const {
  if (publication.place.changes) return publication.place.changes;
  if (!publication.kept || !publication.kept->node) return nullptr;
  return nodes_.view(*publication.kept->node).place.parent->directory;
}

void Publisher::commit_run(std::vector<Publication>& run, const RequestContext& context) {
  std::shared_ptr<Directory> directory;
  std::vector<Mutation> mutations;
  std::vector<Publication*> committed;
  for (Publication& publication : run) {
    if (const auto there = directory_of(publication)) directory = there;
    if (!publication.version || !publication.kept) continue;
    const FileView view = nodes_.view(*publication.kept->node);
    if (view.unlinked) {
      publication.outcome = fail_posix(ENOENT, "another file was renamed over it");
      continue;
    }
    mutations.push_back(publication.kept->is_late ? late_publication(*publication.kept, view, publication.version)
                                                  : publication_of_close(*publication.kept, view, publication.version));
    committed.push_back(&publication);
  }
  if (!directory) return;
  directory->allow(run.back().place.order);
  const auto outcomes = directory->commit_all(std::move(mutations), context);
  for (size_t i = 0; i < committed.size(); ++i) committed[i]->outcome = outcomes[i];
  const auto flushed = directory->flush(context);  // what is left if there was no close among them
  for (Publication& publication : run) {
    if (publication.place.changes) publication.outcome = flushed;
  }
}

// A file that never had a byte has no version, as after a create that nobody wrote to. What another host has deleted
// since the close gets it as the end of its history.
Mutation Publisher::publication_of_close(const KeptFile& kept, const FileView& view, const VersionPtr& version) const {
  const size_t keep_versions = sources_.environment.format.keep_versions;
  return [name = view.place.name, id = view.entry->id, is_empty = version->size_bytes == 0,
          publish = publication(view, version), late = late_publication(kept, view, version),
          create = create_entry(view.place.name, *view.entry, version->session, false, keep_versions)](
             DirectoryEdit& edit) -> Result<void> {
    const FoundEntry found = find_entry(edit, name, id);
    if (found.entry) return is_empty && found.entry->versions.empty() ? Result<void>() : publish(edit);
    const EntryPtr there = edit.find_any(name);
    if (there && there->deleted && there->id == id) return late(edit);
    return is_empty && (!there || !there->deleted) ? create(edit) : publish(edit);
  };
}

// Out of the queue with it, unless it has to wait for the store there.
Result<void> Publisher::conclude(const Publication& publication) {
  const Result<void>& outcome = publication.outcome;
  if (!outcome && is_about_the_store(outcome.error(), true)) return outcome;
  if (publication.kept && outcome) {
    note_published(*publication.kept->node, publication.kept->draft, publication.version);
    if (publication.kept->is_late) tell_where(*publication.kept, publication.version);
    forget_published(*publication.kept->node, publication.kept->draft, publication.kept->identity.session);
    forget(publication.kept->number);
  } else if (publication.kept) {
    failed_in_queue(*publication.kept, outcome.error());
  } else if (publication.place.changes && !outcome) {
    log::warning("directory {:016x}: changes wait for its next commit: {}", publication.place.directory,
                 outcome.error().to_string());
  }
  queue_.leave(publication.place.order);
  return {};
}

// Those behind it pass. It is tried again by itself, or is for a person to decide about; and whoever closes or syncs
// the file next is told.
void Publisher::failed_in_queue(const KeptFile& kept, const Error& error) {
  ++sources_.environment.counters.publish_failures;
  log::error("'{}' was closed, and cannot be published: {}", kept.identity.path, error.to_string());
  {
    const MutexLock lock(mutex_);
    const auto found = kept_.find(kept.number);
    if (found == kept_.end()) return;
    KeptFile& file = found->second;
    if (!file.is_late && !std::exchange(file.untold, true)) ++untold_;
    file.unreported = true;
    if (file.state == KeptState::queued) file.state = KeptState::waiting;
    file.identity.error = error.to_string();
    kicked_ = true;
  }
  changed_.notify_all();
  describe(kept.number);
  failed(kept, error);
}

}  // namespace cairn
