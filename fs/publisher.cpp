#include "fs/publisher.h"

#include <algorithm>

#include "base/log.h"
#include "store/directories/entry_edits.h"

namespace cairn {

Publisher::Publisher(ByteSources sources, NodeTable& nodes, EntryLocks& entries, RetryDelays delays)
    : sources_(sources),
      nodes_(nodes),
      entries_(entries),
      delays_(delays),
      thread_("publisher", [this](const std::stop_token& stop) { run(stop); }) {}

Publisher::~Publisher() { stop(); }

void Publisher::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Result<void> Publisher::publish(const FileNodePtr& node, uint64_t session, const RequestContext& context) {
  auto done = attempt(node, session, context);
  if (done) {
    forget_kept(*node);
    return done;
  }
  ++sources_.environment.counters.publish_failures;
  // Before the caller has its error: a process that dies right after it leaves the bytes for the next start.
  keep(node, session, done.error());
  return fail(done.error().in(fmt::format("publish '{}'", nodes_.path(nodes_.view(*node).place))));
}

void Publisher::publish_at_release(const FileNodePtr& node, uint64_t session) {
  // The flush of this very close has failed just now. Another try would make the program wait once more for a store
  // that is away; only the bytes that a mapping has added since are still to be kept.
  if (is_kept(*node)) return describe(node, session);
  const auto context = sources_.environment.background(Cause::write_back);
  if (auto done = publish(node, session, context); !done) log::error("{}", done.error().to_string());
}

// The turn is held from sealing to the end, so that published() is told of the very content that seal() made durable.
// The entry lock is taken after the upload: a rename or an unlink waits for one commit, and not for gigabytes.
Result<void> Publisher::attempt(const FileNodePtr& node, uint64_t session, const RequestContext& context) {
  auto turn = turns_.acquire(node->ino, context);
  if (!turn) return fail(std::move(turn).error());
  const FileView view = nodes_.view(*node);
  if (!view.bytes || !view.bytes->unpublished() || view.unlinked) return {};
  auto version = view.bytes->seal(session, context);
  if (!version) return fail(std::move(version).error());
  auto entry = entries_.acquire(node->ino, context);
  if (!entry) return fail(std::move(entry).error());
  return commit(node, *version, context);
}

// With the entry locked: no rename or unlink of this host comes between looking at the place and committing there.
Result<void> Publisher::commit(const FileNodePtr& node, const VersionPtr& version, const RequestContext& context) {
  // Looked at again: the file may have been renamed or unlinked while its bytes were sent.
  const FileView view = nodes_.view(*node);
  if (view.unlinked) return {};
  Entry file = *view.entry;
  // If the commit finds no trace of a file that was published before, another host has moved it to another directory.
  // There it still has its id, so the entry that appears here gets a fresh one.
  const bool was_published = !file.versions.empty();
  file.versions.clear();
  file.first_version = 1;
  auto mutation = publish_version(view.place.name, std::move(file), version,
                                  was_published ? fresh_entry_id(sources_.environment.random) : view.entry->id,
                                  sources_.environment.format.keep_versions);
  auto done = view.place.parent->directory->commit(std::move(mutation), context);
  if (!done) return done;
  note_published(*node, view, version);
  return {};
}

// Only after the commit: published() removes the description of a kept draft, and a crash before the commit would lose
// the draft. After a crash in between it is published twice, the second time by the next start, in the same session.
void Publisher::note_published(FileNode& node, const FileView& view, const VersionPtr& version) {
  view.bytes->published(version);
  nodes_.advance(node, version);
  ++sources_.environment.counters.versions_published;
  const FoundEntry found = find_entry(*view.place.parent->directory, view.place.name, node.ino);
  if (!found.entry) return;  // its name is another file's now, or nobody's
  nodes_.set_entry(node, found.entry);
  if (found.name != view.place.name) nodes_.set_name(node, found.name);
}

void Publisher::keep(const FileNodePtr& node, uint64_t session, const Error& error) {
  // Durable on this machine first, and without the mutex, as that waits for the disk.
  describe(node, session);
  MutexLock lock(mutex_);
  const auto [kept, is_new] = kept_.try_emplace(node->id);
  if (is_new) {
    kept->second.node = node;
    kept->second.path = nodes_.path(nodes_.view(*node).place);
    // One more opener, so that the bytes outlive the last descriptor. They are there already: nothing is made.
    nodes_.open(*node, [](const VersionPtr&) { return std::shared_ptr<FileBytes>(); });
  }
  Kept& file = kept->second;
  file.session = session;
  file.error = error.to_string();
  file.delay = std::clamp(file.delay * 2, delays_.first, delays_.most);
  file.due = system_clock().steady_now() + file.delay;
  kicked_ = true;
  lock.unlock();
  changed_.notify_all();
}

// Writes down, next to the draft, where its bytes belong.
void Publisher::describe(const FileNodePtr& node, uint64_t session) {
  const FileView view = nodes_.view(*node);
  if (!view.bytes || view.unlinked) return;
  KeptIdentity identity;
  identity.directory = view.place.parent->directory->id();
  identity.name = view.place.name;
  identity.path = nodes_.path(view.place);
  identity.file = *view.entry;
  identity.session = session;
  identity.mtime = view.bytes->unpublished_mtime().value_or(sources_.environment.clock.wall_now());
  if (auto kept = view.bytes->keep(identity.to_json()); !kept) {
    log::error("'{}' is unpublished and cannot be kept either: {}", identity.path, kept.error().to_string());
  }
}

void Publisher::adopt(const FileNodePtr& node, const KeptIdentity& identity) {
  {
    MutexLock lock(mutex_);
    kept_[node->id] = {.node = node,
                       .session = identity.session,
                       .path = identity.path,
                       .error = "kept by an earlier process",
                       .delay = {},
                       .due = system_clock().steady_now()};
    kicked_ = true;
  }
  changed_.notify_all();
}

bool Publisher::is_kept(const FileNode& node) const {
  MutexLock lock(mutex_);
  return kept_.contains(node.id);
}

void Publisher::forget_kept(const FileNode& node) {
  MutexLock lock(mutex_);
  auto gone = kept_.extract(node.id);
  lock.unlock();
  if (gone) nodes_.close(*gone.mapped().node);
}

void Publisher::moved(const FileNodePtr& node) {
  MutexLock lock(mutex_);
  const auto kept = kept_.find(node->id);
  if (kept == kept_.end()) return;
  // The description has the old place: after a restart the file would be published there again.
  const uint64_t session = kept->second.session;
  kept->second.path = nodes_.path(nodes_.view(*node).place);
  lock.unlock();
  describe(node, session);
}

// The draft first: one that is destroyed while it is kept leaves its staging file, and the next start would publish the
// unlinked file again.
void Publisher::unlinked(const FileNodePtr& node) {
  if (const auto bytes = nodes_.view(*node).bytes) bytes->discard();
  forget_kept(*node);
}

std::vector<UnpublishedFile> Publisher::kept() const {
  std::vector<UnpublishedFile> files;
  MutexLock lock(mutex_);
  for (const auto& [id, kept] : kept_) {
    const FileView view = nodes_.view(*kept.node);
    files.push_back({kept.path, view.bytes ? view.bytes->size_bytes() : 0, kept.error});
  }
  return files;
}

void Publisher::run(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    kicked_ = false;
    const auto next = std::min_element(kept_.begin(), kept_.end(),
                                       [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
    if (next == kept_.end()) {
      changed_.wait(lock, stop, [this]() CAIRN_REQUIRES(mutex_) { return kicked_; });
    } else if (next->second.due > system_clock().steady_now()) {
      changed_.wait_until(lock, stop, next->second.due, [this]() CAIRN_REQUIRES(mutex_) { return kicked_; });
    } else {
      // A copy, and no lock: the attempt waits for the store, and changes kept_ itself.
      const Kept kept = next->second;
      lock.unlock();
      retry(kept, stop);
      lock.lock();
    }
  }
}

void Publisher::retry(const Kept& kept, const std::stop_token& stop) {
  auto context = sources_.environment.background(Cause::write_back);
  context.stop = stop;
  if (auto done = publish(kept.node, kept.session, context); !done) {
    log::warning("{}; the next attempt follows", done.error().to_string());
  } else {
    log::info("'{}' is published after all", kept.path);
  }
}

}  // namespace cairn
