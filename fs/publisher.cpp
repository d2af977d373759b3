#include "fs/publisher.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "fs/errno.h"
#include "store/directories/entry_edits.h"

namespace cairn {

Publisher::Publisher(ByteSources sources, NodeTable& nodes, EntryLocks& entries, OpenDirectory open_directory,
                     BytesChange bytes_change, RetryDelays delays)
    : sources_(sources),
      nodes_(nodes),
      entries_(entries),
      open_directory_(std::move(open_directory)),
      bytes_change_(std::move(bytes_change)),
      delays_(delays),
      sealers_("seal", kSealers),
      queue_(
          {.linger = sources.environment.options.commit_delay, .first_pause = delays.first, .most_pause = delays.most}),
      queue_thread_("closes", [this](const std::stop_token& stop) { run_queue(stop); }),
      thread_("publisher", [this](const std::stop_token& stop) { run(stop); }) {}

Publisher::~Publisher() { stop(); }

void Publisher::stop() {
  thread_.request_stop();
  queue_thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  if (queue_thread_.joinable()) queue_thread_.join();
}

Result<void> Publisher::publish(const FileNodePtr& node, uint64_t session, const RequestContext& context) {
  auto done = in_order() ? close_in_order(node, session, context) : attempt(node, session, context);
  if (done) return tell(*node);
  ++sources_.environment.counters.publish_failures;
  // Before the caller has its error: a process that dies right after it leaves the bytes for the next start.
  keep(node, session, done.error());
  return fail(done.error().in(fmt::format("publish '{}'", nodes_.path(nodes_.view(*node).place))));
}

Result<bool> Publisher::publish_open(const FileNodePtr& node, const RequestContext& context) {
  if (in_order()) {
    if (auto drained = drain(context); !drained) return fail(std::move(drained).error());
  }
  const FileView view = nodes_.view(*node);
  if (!view.bytes || view.bytes->frozen() || !view.bytes->unpublished()) return false;
  auto done = attempt(node, view.bytes->last_session(), context);
  if (done) return true;
  return fail(done.error().in(fmt::format("publish '{}', which is open", nodes_.path(view.place))));
}

void Publisher::publish_at_release(const FileNodePtr& node, uint64_t session) {
  const FileView view = nodes_.view(*node);
  if (view.bytes && view.bytes->frozen()) return;
  const auto context = sources_.environment.background(Cause::write_back);
  if (auto done = publish(node, session, context); !done) log::error("{}", done.error().to_string());
}

// What is frozen has its own stamp; a later close of the open file that could not publish it wins the name all the
// same.
Result<void> Publisher::attempt(const FileNodePtr& node, uint64_t session, const RequestContext& context) {
  auto turn = turns_.acquire(node->ino, context);
  if (!turn) return fail(std::move(turn).error());
  const FileView view = nodes_.view(*node);
  if (!view.bytes || !view.bytes->unpublished() || view.unlinked) return {};
  if (const auto frozen = view.bytes->frozen()) {
    const auto kept = find(frozen->number());
    if (!kept) return {};                    // published or given up this very moment
    if (kept->state == KeptState::queued) {  // nothing passes what is before it, and its turn is the queue's
      turn->release();
      return drain(context);
    }
    const bool is_own = kept->identity.session == session;
    return attempt_kept(*kept, is_own ? Wins::always : Wins::over_its_base, context);
  }
  auto sealed = view.bytes->seal(session, context);
  if (!sealed) return fail(std::move(sealed).error());
  if (!sealed->draft) return {};
  auto entry = entries_.acquire(node->ino, context);
  if (!entry) return fail(std::move(entry).error());
  if (nodes_.view(*node).unlinked) return {};
  if (auto done = commit(node, sealed->version, context); !done) return done;
  note_published(*node, sealed->draft, sealed->version);
  forget_published(*node, sealed->draft, session);
  return {};
}

// After a rename between directories of which nobody knows whether it happened, the file is at either end: as long as
// it may still turn up at the other one, that is looked at first. Published where it no longer is, it would come back
// there.
Result<void> Publisher::follow_move(const FileNodePtr& node, const RequestContext& context) {
  const auto perhaps = nodes_.view(*node).perhaps;
  if (!perhaps) return {};
  Directory& directory = *perhaps->parent->directory;
  auto fresh = directory.refresh(std::chrono::nanoseconds(0), context);
  if (directory.removed()) return {};
  if (!fresh) return fail(fresh.error().in("where it may have been moved"));
  FoundEntry found = find_entry(directory, perhaps->name, node->ino);
  if (!found.entry) {  // another host may have unlinked it there
    std::tie(found.name, found.entry) =
        directory.find_committed_if([&](const Entry& entry) { return entry.id == node->ino; });
  }
  if (!found.entry) return {};
  for (const FileNodePtr& moved_node : nodes_.moved(node->ino, {perhaps->parent, found.name})) moved(moved_node);
  return {};
}

// With the entry locked: no rename or unlink of this host comes between looking at the place and committing there.
Result<void> Publisher::commit(const FileNodePtr& node, const VersionPtr& version, const RequestContext& context) {
  if (auto followed = follow_move(node, context); !followed) return followed;
  // Looked at again: the file may have been renamed or unlinked while its bytes were sent.
  const FileView view = nodes_.view(*node);
  return view.place.parent->directory->commit(publication(view, version), context);
}

Mutation Publisher::publication(const FileView& view, const VersionPtr& version) const {
  Entry file = *view.entry;
  file.versions.clear();
  file.first_version = 1;
  // If the commit finds no trace of the file, another host may have moved it to another directory. There it still has
  // its id, and what appears here must not be taken for what it left behind.
  return publish_version(view.place.name, file, version, fresh_entry_id(sources_.environment.random),
                         sources_.environment.format.keep_versions);
}

void Publisher::note_published(FileNode& node, const std::shared_ptr<Draft>& draft, const VersionPtr& version) {
  const FileView view = nodes_.view(node);
  if (!view.bytes || view.bytes->published(draft, version)) nodes_.advance(node, version);
  ++sources_.environment.counters.versions_published;
  const FoundEntry found = find_entry(*view.place.parent->directory, view.place.name, node.ino);
  if (!found.entry) return;  // its name is another file's now, or nobody's
  nodes_.set_entry(node, found.entry);
  if (found.name != view.place.name) nodes_.set_name(node, found.name);
}

void Publisher::keep(const FileNodePtr& node, uint64_t session, const Error& error) {
  uint64_t number = 0;
  {
    const MutexLock lock(mutex_);
    const FileView view = nodes_.view(*node);
    if (!view.bytes || view.unlinked) return;
    const auto frozen = view.bytes->freeze(session);
    if (!frozen) return;
    number = frozen->draft->number();
    KeptFile& file = add_kept(node, *frozen);
    if (file.state == KeptState::queued) return;  // by another descriptor, a moment ago
    file.error = error.to_string();
    file.identity.error = file.error;
    file.delay = std::clamp(file.delay * 2, delays_.first, delays_.most);
    file.due = system_clock().steady_now() + file.delay;
    kicked_ = true;
  }
  changed_.notify_all();
  describe(number);
}

KeptFile& Publisher::add_kept(const FileNodePtr& node, const FileBytes::Frozen& frozen) {
  const auto [kept, is_new] = kept_.try_emplace(frozen.draft->number());
  KeptFile& file = kept->second;
  if (!is_new) return file;
  file.number = frozen.draft->number();
  file.identity = identity_of(*node);
  file.identity.session = frozen.stamp.session;
  file.identity.published = frozen.stamp.published;
  file.identity.mtime = frozen.mtime;
  if (frozen.base && !is_pending(*node)) file.identity.base = stamp_of(*frozen.base);
  file.identity.own = frozen.own;
  file.identity.kept = sources_.environment.clock.wall_now();
  file.draft = frozen.draft;
  file.size_bytes = frozen.draft->size_bytes();
  file.node = node;
  nodes_.open(*node, OpenMode::cached, [](const VersionPtr&) { return std::shared_ptr<FileBytes>(); });
  return file;
}

KeptIdentity Publisher::identity_of(const FileNode& node) const {
  const FileView view = nodes_.view(node);
  KeptIdentity identity;
  identity.directory = view.place.parent->directory->id();
  identity.name = view.place.name;
  identity.path = nodes_.path(view.place);
  identity.file = *view.entry;
  identity.base_number = view.version ? view.entry->current_number() : 0;
  identity.was_listed = is_listed(node);
  const EntryPtr committed = view.place.parent->directory->find_committed(view.place.name);
  if (committed && !committed->deleted && committed->id != node.ino) identity.replaces = committed->id;
  return identity;
}

bool Publisher::is_listed(const FileNode& node) const {
  const FileView view = nodes_.view(node);
  const EntryPtr entry = view.place.parent->directory->find_committed(view.place.name);
  return entry && entry->id == node.ino;
}

// It was made here, and the store has not heard of it yet.
bool Publisher::is_pending(const FileNode& node) const {
  const FileView view = nodes_.view(node);
  const Directory& directory = *view.place.parent->directory;
  const EntryPtr seen = directory.find(view.place.name);
  if (!seen || seen->id != node.ino) return false;
  return !directory.find_committed_if([&](const Entry& entry) { return entry.id == node.ino; }).second;
}

std::string Publisher::identify(const FileNode& node) const {
  const FileView view = nodes_.view(node);
  if (view.unlinked) return "";
  KeptIdentity identity = identity_of(node);
  if (view.version) identity.base = stamp_of(*view.version);
  identity.mtime = sources_.environment.clock.wall_now();
  identity.error = "never closed";
  return identity.to_json();
}

// Writes down, next to the draft, where its bytes belong; unless they have been published or given up meanwhile.
void Publisher::describe(uint64_t number) {
  const MutexLock describing(describing_);
  const auto kept = find(number);
  if (!kept || !kept->draft) return;
  if (auto written = kept->draft->keep(kept->identity.to_json()); !written) {
    log::error("'{}' is unpublished and cannot be kept either: {}", kept->identity.path, written.error().to_string());
  }
}

void Publisher::forget(uint64_t number) {
  await_kept(number);
  const MutexLock describing(describing_);
  MutexLock lock(mutex_);
  const auto gone = kept_.extract(number);
  if (!gone) return;
  const KeptFile& kept = gone.mapped();
  queue_.leave(kept.identity.order);
  if (kept.untold) --untold_;
  lock.unlock();
  if (kept.draft) kept.draft->release();
  if (kept.at_rest && kept.at_rest->staging) kept.at_rest->staging->release();
  if (!kept.node) return;
  if (const auto bytes = nodes_.view(*kept.node).bytes) bytes->let_go(kept.draft);
  nodes_.close(*kept.node, OpenMode::cached);
}

// What was published directly, if it was frozen meanwhile and not changed before; and what an earlier publication of
// the same open file could not publish: this one stands for it.
void Publisher::forget_published(const FileNode& node, const std::shared_ptr<Draft>& draft, uint64_t session) {
  for (const uint64_t number : kept_of(node)) {
    const auto kept = find(number);
    if (!kept) continue;
    const bool is_same = kept->draft == draft && !draft->dirty();
    const bool is_earlier = number < draft->number() && kept->identity.session == session;
    if (is_same || is_earlier) forget(number);
  }
}

std::vector<uint64_t> Publisher::kept_of(const FileNode& node) const {
  std::vector<uint64_t> numbers;
  const MutexLock lock(mutex_);
  for (const auto& [number, kept] : kept_) {
    if (kept.node.get() == &node) numbers.push_back(number);
  }
  return numbers;
}

std::optional<KeptFile> Publisher::find(uint64_t number) const {
  const MutexLock lock(mutex_);
  const auto kept = kept_.find(number);
  if (kept == kept_.end()) return std::nullopt;
  return kept->second;
}

std::vector<KeptFile> Publisher::kept() const {
  std::vector<KeptFile> files;
  const MutexLock lock(mutex_);
  for (const auto& [number, kept] : kept_) files.push_back(kept);
  return files;
}

void Publisher::attributes_changed(const FileNode& node) {
  const Attributes attributes = nodes_.view(node).entry->attributes;
  for (const uint64_t number : kept_of(node)) {
    {
      const MutexLock lock(mutex_);
      const auto kept = kept_.find(number);
      if (kept == kept_.end()) continue;
      kept->second.identity.file.attributes = attributes;
    }
    await_kept(number);
    describe(number);
  }
}

void Publisher::moved(const FileNodePtr& node) {
  if (const auto bytes = nodes_.view(*node).bytes) bytes->identity_changed();
  const FileView view = nodes_.view(*node);
  for (const uint64_t number : kept_of(*node)) {
    {
      const MutexLock lock(mutex_);
      const auto kept = kept_.find(number);
      if (kept == kept_.end()) continue;
      kept->second.identity.directory = view.place.parent->directory->id();
      kept->second.identity.name = view.place.name;
      kept->second.identity.path = nodes_.path(view.place);
      queue_.move(kept->second.identity.order, kept->second.identity.directory);
    }
    await_kept(number);
    describe(number);
  }
}

// The draft first: one that is destroyed while it is kept leaves its staging file, and the next start would publish the
// unlinked file again.
void Publisher::unlinked(const FileNodePtr& node) {
  for (const uint64_t number : kept_of(*node)) forget(number);
  if (const auto bytes = nodes_.view(*node).bytes) bytes->discard();
}

void Publisher::replaced(const FileNodePtr& node) {
  for (const uint64_t number : kept_of(*node)) undecided(number, "another file was renamed over it");
  if (const auto bytes = nodes_.view(*node).bytes) bytes->discard();
}

void Publisher::run(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    kicked_ = false;
    auto next = kept_.end();
    for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
      if (kept->second.state != KeptState::waiting) continue;
      if (next == kept_.end() || kept->second.due < next->second.due) next = kept;
    }
    if (next == kept_.end()) {
      changed_.wait(lock, stop, [this]() CAIRN_REQUIRES(mutex_) { return kicked_; });
    } else if (next->second.due > system_clock().steady_now()) {
      changed_.wait_until(lock, stop, next->second.due, [this]() CAIRN_REQUIRES(mutex_) { return kicked_; });
    } else {
      const uint64_t number = next->first;
      lock.unlock();
      retry(number, stop);
      lock.lock();
    }
  }
}

void Publisher::retry(uint64_t number, const std::stop_token& stop) {
  auto context = sources_.environment.background(Cause::write_back);
  context.stop = stop;
  const auto done = place_and_attempt(number, context);
  if (!done && find(number)) log::warning("kept draft {}: {}", number, done.error().to_string());
}

}  // namespace cairn
