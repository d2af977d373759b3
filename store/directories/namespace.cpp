#include "store/directories/namespace.h"

#include <algorithm>

#include "base/log.h"
#include "base/mutex.h"
#include "base/posix_error.h"

namespace cairn {

namespace {

// Directories that stay loaded although nobody holds them: so many at most, and no more than may be read at once.
constexpr size_t kRecentDirectories = 64;
constexpr size_t kFirstSweep = 1024;

// Frees `name` if it still stands for the directory `id`.
Mutation free_name(const std::string& name, EntryId id, Nanos now) {
  return [name, id, now](DirectoryEdit& edit) -> Result<void> {
    const EntryPtr entry = edit.find(name);
    if (!entry || entry->id != id) return {};
    edit.remove(name, now);
    edit.touch(now);
    return {};
  };
}

// A new directory's entry. The history that deleted files left under its name goes on under it.
Mutation put_new(const std::string& name, const Entry& entry, Nanos now, size_t keep_versions) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    if (edit.find(name)) return fail_posix(EEXIST, "'{}' exists", name);
    if (auto room = edit.check_room(name, entry); !room) return room;
    const EntryPtr before = edit.history_for(name, entry, now);
    edit.put(name, before ? entry.over(*before, keep_versions) : entry);
    edit.touch(now);
    return {};
  };
}

Result<void> mark_removed(DirectoryEdit& edit) {
  if (edit.has_live_entries()) return fail_posix(ENOTEMPTY, "the directory is not empty");
  if (edit.has_marks()) return fail(Errc::conflict, "a move through the directory is not complete");
  edit.set_removed(true);
  return {};
}

}  // namespace

Namespace::Namespace(StoreEnvironment& environment)
    : environment_(environment),
      committer_(std::make_shared<BackgroundCommitter>(
          environment, [this](const std::shared_ptr<Directory>& directory,
                              const RequestContext& context) { return tend(*directory, context); })),
      sweep_at_(kFirstSweep) {}

Namespace::~Namespace() {
  if (auto stopped = stop(environment_.background(Cause::write_back)); !stopped) {
    log::error("changes are left uncommitted: {}", stopped.error().to_string());
  }
}

Result<void> Namespace::flush(const RequestContext& context) { return committer_->run_all(context); }

Result<void> Namespace::stop(const RequestContext& context) {
  auto flushed = flush(context);
  committer_->stop();
  return flushed;
}

size_t Namespace::pending_directories() const { return committer_->size(); }

Result<void> Namespace::tend(Directory& directory, const RequestContext& context) {
  // A move that cannot be completed now does not hold up the directory's own changes.
  auto finished = finish_moves(directory, context);
  auto flushed = directory.flush(context);
  return finished ? flushed : finished;
}

Result<std::shared_ptr<Directory>> Namespace::open(EntryId id, const RequestContext& context) {
  auto opened = find_or_load(id, context);
  if (!opened) return fail(std::move(opened).error());
  std::shared_ptr<Directory>& directory = opened->directory;
  if (directory->removed()) return fail_posix(ENOENT, "directory {:016x} is removed", id);
  if (opened->is_new && !environment_.options.read_only) {
    // A directory is usable with moves half done; what cannot be completed now is tried again later.
    if (!finish_moves(*directory, context)) committer_->add(directory, environment_.clock.steady_now());
  }
  return std::move(directory);
}

Result<Namespace::Opened> Namespace::find_or_load(EntryId id, const RequestContext& context) {
  {
    const MutexLock lock(mutex_);
    const auto found = known_.find(id);
    if (auto directory = found == known_.end() ? nullptr : found->second.lock()) {
      keep_recent(directory);
      return Opened{std::move(directory), false};
    }
  }
  auto loaded = Directory::load(environment_, id, context);
  if (!loaded) return fail(std::move(loaded).error());
  return adopt(std::move(*loaded));
}

// Of several threads that loaded the same directory the first one's object becomes everybody's. The hook is set while
// no other thread can see the object. It holds the committer weakly, whose jobs hold directories.
Namespace::Opened Namespace::adopt(std::shared_ptr<Directory> directory) {
  directory->set_work_hook([committer = std::weak_ptr(committer_)](std::shared_ptr<Directory> busy, SteadyTime due) {
    if (const auto alive = committer.lock()) alive->add(std::move(busy), due);
  });
  const MutexLock lock(mutex_);
  forget_expired();
  std::weak_ptr<Directory>& known = known_[directory->id()];
  auto first = known.lock();
  const bool is_new = !first;
  if (is_new) known = first = std::move(directory);
  keep_recent(first);
  return {std::move(first), is_new};
}

void Namespace::keep_recent(const std::shared_ptr<Directory>& directory) {
  auto found = std::find(recent_.begin(), recent_.end(), directory);
  if (found == recent_.end()) {
    if (recent_.size() < kRecentDirectories) recent_.emplace_back();
    found = std::prev(recent_.end());
    *found = directory;
  }
  std::rotate(recent_.begin(), found, std::next(found));
  uint64_t weight = directory->weight_bytes();
  const auto surplus = std::find_if(std::next(recent_.begin()), recent_.end(), [&](const auto& recent) {
    weight += recent->weight_bytes();
    return weight > environment_.most_metadata_bytes();
  });
  recent_.erase(surplus, recent_.end());
}

void Namespace::forget_expired() {
  if (known_.size() < sweep_at_) return;
  std::erase_if(known_, [](const auto& known) { return known.second.expired(); });
  sweep_at_ = std::max(kFirstSweep, 2 * known_.size());
}

Result<std::shared_ptr<Directory>> Namespace::open_child(Directory& parent, const std::string& name,
                                                         const RequestContext& context) {
  const EntryPtr entry = parent.find(name);
  if (!entry) return fail_posix(ENOENT, "no entry '{}'", name);
  if (entry->kind != Kind::directory) return fail_posix(ENOTDIR, "'{}' is no directory", name);
  auto child = open(entry->id, context);
  if (child || environment_.options.read_only) return child;
  // Only if the store says that it is removed, and not because it cannot be read, was this an rmdir that stopped half
  // way.
  const auto known = find_or_load(entry->id, context);
  if (known && known->directory->removed()) {
    (void)parent.commit_soon(free_name(name, entry->id, environment_.clock.wall_now()));
  }
  return child;
}

Result<Entry> Namespace::make_directory(Directory& parent, const std::string& name, const Attributes& attributes,
                                        const RequestContext& context) {
  if (!is_valid_name(name)) return fail_posix(EINVAL, "'{}' cannot be a name", name);
  if (const EntryPtr taken = parent.find(name)) {
    const bool is_gone = taken->kind == Kind::directory && !open_child(parent, name, context) && !parent.find(name);
    if (!is_gone) return fail_posix(EEXIST, "'{}' exists", name);
  }
  auto child = Directory::create(environment_, attributes, context);
  if (!child) return fail(std::move(child).error());
  Entry entry;
  entry.id = (*child)->id();
  entry.kind = Kind::directory;
  const Mutation naming = put_new(name, entry, environment_.clock.wall_now(), environment_.format.keep_versions);
  auto named = parent.commit(naming, context);
  if (!named) return fail(std::move(named).error());
  adopt(std::move(*child));
  return entry;
}

Result<void> Namespace::remove_directory(Directory& parent, const std::string& name, const RequestContext& context) {
  const EntryPtr entry = parent.find(name);
  if (!entry) return fail_posix(ENOENT, "no entry '{}'", name);
  if (entry->kind != Kind::directory) return fail_posix(ENOTDIR, "'{}' is no directory", name);
  if (auto finished = finish_move(parent, name, context); !finished) return finished;
  // The directory ends before its name: as soon as that is free, entries in it would be out of reach, and until it is
  // retired another host may still make one. After a crash in between the next open_child() frees the name.
  if (auto retired = retire(entry->id, context); !retired)
    return fail(retired.error().in(fmt::format("rmdir '{}'", name)));
  return parent.commit(free_name(name, entry->id, environment_.clock.wall_now()), context);
}

// From here on the directory takes no entries, on any host. One that is removed, or has no records, is retired already.
// Moves that ended in it are completed first: deleted entries may carry marks too, which go with the directory.
Result<void> Namespace::retire(EntryId id, const RequestContext& context) {
  const auto opened = find_or_load(id, context);
  if (!opened && opened.error().code() == Errc::not_found) return {};
  if (!opened) return fail(opened.error());
  Directory& directory = *opened->directory;
  if (directory.removed()) return {};
  while (true) {
    if (auto alive = context.check(); !alive) return fail(alive.error().in("retire a directory"));
    if (auto finished = finish_moves(directory, context); !finished) return finished;
    auto retired = directory.commit(mark_removed, context);
    if (directory.removed()) return {};
    if (retired || retired.error().code() != Errc::conflict) return retired;
  }
}

}  // namespace cairn
