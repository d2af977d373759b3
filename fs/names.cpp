// Making, removing and renaming.
#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "base/posix_error.h"
#include "fs/name.h"
#include "fs/store_file_system.h"
#include "store/directories/entry_edits.h"

namespace cairn {

namespace {

constexpr uint32_t kModeBits = 07777;
constexpr uint32_t kSetGid = 02000;
constexpr size_t kMaxTargetBytes = 4095;

Result<void> check_target(const std::string& target) {
  if (target.empty()) return fail_posix(ENOENT, "a symlink to nothing");
  if (target.size() > kMaxTargetBytes) return fail_posix(ENAMETOOLONG, "a symlink's target of {} bytes", target.size());
  if (!is_valid_utf8(target)) return fail_posix(EILSEQ, "a symlink's target that is not UTF-8");
  if (target.find('\0') != target.npos) return fail_posix(EINVAL, "a symlink's target with a NUL");
  return {};
}

// See Directory::commit.
bool may_have_happened(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::deadline_exceeded ||
         error.code() == Errc::cancelled;
}

}  // namespace

// Strict about freshness, unlike freshen(): a directory that is about to be changed must not be guessed.
Result<StoreFileSystem::Target> StoreFileSystem::target(NodeId parent, const std::string& name,
                                                        const RequestContext& context) const {
  if (auto valid = check_changeable_name(name); !valid) return fail(std::move(valid).error());
  if (auto writable = check_writable(); !writable) return fail(std::move(writable).error());
  auto directory = directory_node(parent);
  if (!directory) return fail(std::move(directory).error());
  auto fresh = (*directory)->directory->refresh(environment_.options.revalidate, context);
  if (!fresh) return fail(std::move(fresh).error());
  return Target{{*directory, name}, (*directory)->directory->find(name)};
}

Entry StoreFileSystem::new_entry(const Directory& parent, Kind kind, uint32_t mode, const Caller& caller) const {
  const Attributes above = parent.attributes();
  const Nanos now = environment_.clock.wall_now();
  Entry entry;
  entry.id = fresh_entry_id(environment_.random);
  entry.kind = kind;
  entry.attributes.mode = mode & kModeBits;
  entry.attributes.uid = caller.uid;
  entry.attributes.gid = caller.gid;
  entry.attributes.mtime = now;
  entry.attributes.ctime = now;
  if ((above.mode & kSetGid) != 0) {
    entry.attributes.gid = above.gid;
    if (kind == Kind::directory) entry.attributes.mode |= kSetGid;
  }
  return entry;
}

Result<NodeReply> StoreFileSystem::make_directory(NodeId parent, const std::string& name, uint32_t mode,
                                                  const Caller& caller, const RequestContext& context) {
  auto where = target(parent, name, context);
  if (!where) return fail(std::move(where).error());
  if (auto is_free = free_in_the_store(*where, context); !is_free) return fail(std::move(is_free).error());
  Directory& directory = *where->place.parent->directory;
  const Attributes attributes = new_entry(directory, Kind::directory, mode, caller).attributes;
  auto made = names_->make_directory(directory, name, attributes, context);
  if (!made) return fail(std::move(made).error());
  return reply_with_directory(where->place, context);
}

// A name that this host has freed in order may be taken in the store still; what takes it at once waits for that.
Result<void> StoreFileSystem::free_in_the_store(const Target& where, const RequestContext& context) {
  if (where.entry) return fail_posix(EEXIST, "'{}' exists", where.place.name);
  const EntryPtr committed = where.place.parent->directory->find_committed(where.place.name);
  return committed && !committed->deleted ? drain_order(context) : Result<void>();
}

// Durable at once, and made by one host only.
Result<NodeReply> StoreFileSystem::commit_new_entry(const Target& where, const Entry& entry,
                                                    const RequestContext& context) {
  if (auto is_free = free_in_the_store(where, context); !is_free) return fail(std::move(is_free).error());
  auto made = create_entry(where.place.name, entry, 0, true, environment_.format.keep_versions);
  if (auto done = where.place.parent->directory->commit(std::move(made), context); !done) {
    return fail(std::move(done).error());
  }
  return reply_with_name(where.place, context);
}

Result<NodeReply> StoreFileSystem::make_node(NodeId parent, const std::string& name, Kind kind, uint32_t mode,
                                             const Caller& caller, const RequestContext& context) {
  if (kind != Kind::file && kind != Kind::fifo && kind != Kind::socket) {
    return fail_posix(EPERM, "only files, fifos and sockets can be made");
  }
  auto where = target(parent, name, context);
  if (!where) return fail(std::move(where).error());
  return commit_new_entry(*where, new_entry(*where->place.parent->directory, kind, mode, caller), context);
}

Result<NodeReply> StoreFileSystem::make_symlink(NodeId parent, const std::string& name, const std::string& link_target,
                                                const Caller& caller, const RequestContext& context) {
  if (auto valid = check_target(link_target); !valid) return fail(std::move(valid).error());
  auto where = target(parent, name, context);
  if (!where) return fail(std::move(where).error());
  Entry entry = new_entry(*where->place.parent->directory, Kind::symlink, 0777, caller);
  entry.target = link_target;
  return commit_new_entry(*where, entry, context);
}

Result<std::string> StoreFileSystem::read_symlink(NodeId id, const RequestContext& /*context*/) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  if ((*node)->kind != Kind::symlink) return fail_posix(EINVAL, "node {} is no symlink", id);
  return nodes_.view(static_cast<const FileNode&>(**node)).entry->target;
}

Result<void> StoreFileSystem::remove_file(NodeId parent, const std::string& name, const RequestContext& context) {
  auto where = target(parent, name, context);
  if (!where) return fail(std::move(where).error());
  if (!where->entry) return fail_posix(ENOENT, "no '{}'", name);
  if (where->entry->kind == Kind::directory) return fail_posix(EISDIR, "'{}' is a directory", name);
  auto entry = entries_.acquire(where->entry->id, context);
  if (!entry) return fail(std::move(entry).error());
  auto removal = remove_entry(name, where->entry->id, environment_.clock.wall_now());
  auto done = publisher_.change_soon(where->place.parent->directory, std::move(removal));
  if (done) note_unlinked(*where->entry);
  return done;
}

Result<void> StoreFileSystem::remove_directory(NodeId parent, const std::string& name, const RequestContext& context) {
  if (auto drained = drain_order(context); !drained) return drained;
  auto where = target(parent, name, context);
  if (!where) return fail(std::move(where).error());
  return names_->remove_directory(*where->place.parent->directory, name, context);
}

Result<void> StoreFileSystem::rename(NodeId parent, const std::string& name, NodeId new_parent,
                                     const std::string& new_name, RenameMode mode, const RequestContext& context) {
  if (auto drained = drain_order(context); !drained) return drained;
  auto from = target(parent, name, context);
  if (!from) return fail(std::move(from).error());
  auto to = target(new_parent, new_name, context);
  if (!to) return fail(std::move(to).error());
  if (!from->entry) return fail_posix(ENOENT, "no '{}'", name);
  if (mode == RenameMode::no_replace && to->entry) return fail_posix(EEXIST, "'{}' exists", new_name);
  if (mode == RenameMode::exchange && !to->entry) return fail_posix(ENOENT, "no '{}'", new_name);
  if (to->entry && to->entry->id == from->entry->id) return {};
  if (auto apart = check_ancestry(*from, *to, mode); !apart) return apart;
  if (mode == RenameMode::replace && to->entry) {
    if (auto published = publish_before_replacing(*from->entry, context); !published) return published;
  }
  return rename_checked(*from, *to, mode, context);
}

// Whether every directory from `node` up to the root is still where this host has seen it. Another host may have moved
// one of them: a descriptor then leads to a directory of which nobody here knows what it lies below. ESTALE makes the
// kernel walk the path again.
Result<void> StoreFileSystem::check_place(DirectoryNodePtr node, uint64_t attempt,
                                          const RequestContext& context) const {
  while (node != nodes_.root()) {
    const NodePlace place = nodes_.place(*node);
    if (!place.parent) return fail_posix(ESTALE, "nobody knows what the directory lies below");
    auto known = names_->confirm_link(place.parent->directory, place.name, node->ino, attempt, context);
    if (!known) return known;
    node = place.parent;
  }
  return {};
}

// The kernel checks this too; it does not know what other hosts have moved meanwhile, and neither do we for certain.
Result<void> StoreFileSystem::check_ancestry(const Target& from, const Target& to, RenameMode mode) const {
  if (from.entry->kind == Kind::directory && nodes_.is_within(*to.place.parent, from.entry->id)) {
    return fail_posix(EINVAL, "'{}' would be inside itself", from.place.name);
  }
  if (to.entry && to.entry->kind == Kind::directory && nodes_.is_within(*from.place.parent, to.entry->id)) {
    return fail_posix(mode == RenameMode::exchange ? EINVAL : ENOTEMPTY, "'{}' holds '{}'", to.place.name,
                      from.place.name);
  }
  return {};
}

// A file that is still being written takes an older file's name: published first, so that no host finds the name empty.
// What a close could not publish is nobody's session any more: it goes over no version that another host has made
// since.
Result<void> StoreFileSystem::publish_before_replacing(const Entry& source, const RequestContext& context) {
  const FileNodePtr node = nodes_.find_unpublished(source.id);
  if (!node) return {};
  const auto bytes = nodes_.view(*node).bytes;
  const uint64_t session = !bytes || bytes->frozen() ? 0 : bytes->last_session();
  if (auto done = publisher_.publish(node, session, context); !done) return done;
  return drain_order(context);
}

Result<void> StoreFileSystem::rename_checked(const Target& from, const Target& to, RenameMode mode,
                                             const RequestContext& context) {
  const EntryId other = to.entry ? to.entry->id : from.entry->id;
  auto first = entries_.acquire(std::min(from.entry->id, other), context);
  if (!first) return fail(std::move(first).error());
  Result<EntryLocks::Held> second;
  if (to.entry) second = entries_.acquire(std::max(from.entry->id, other), context);
  if (!second) return fail(std::move(second).error());

  // Whoever opens a name to write may be refused once, and then comes with what is renamed over it meanwhile.
  for (const EntryPtr& entry : {from.entry, to.entry}) {
    if (entry && nodes_.is_native(entry->id)) give_to_writers(entry->id);
  }
  const AncestryWalk walk = [&](uint64_t attempt, const RequestContext& walking) -> Result<void> {
    auto known = check_place(from.place.parent, attempt, walking);
    return known ? check_place(to.place.parent, attempt, walking) : known;
  };
  auto done = names_->rename({from.place.parent->directory, from.place.name},
                             {to.place.parent->directory, to.place.name}, mode, context, walk);
  if (!done) {
    if (may_have_happened(done.error()) && from.place.parent != to.place.parent) {
      nodes_.perhaps_moved(from.entry->id, to.place);
      if (mode == RenameMode::exchange) nodes_.perhaps_moved(to.entry->id, from.place);
    }
    return done;
  }
  if (mode == RenameMode::exchange) {
    note_moved(*to.entry, from.place);
  } else if (to.entry) {
    note_replaced(*to.entry);
  }
  note_moved(*from.entry, to.place);
  touch_renamed(*from.entry, context);
  if (mode == RenameMode::exchange) touch_renamed(*to.entry, context);
  return {};
}

// A directory's times are in its own record, which a rename does not write: that comes later, like a chmod.
void StoreFileSystem::touch_renamed(const Entry& entry, const RequestContext& context) {
  if (entry.kind != Kind::directory) return;
  const Nanos now = environment_.clock.wall_now();
  const auto directory = names_->open(entry.id, context);
  const auto touched = directory
                           ? (*directory)->commit_soon(change_directory([now](Attributes& attributes) -> Result<void> {
                               attributes.ctime = std::max(attributes.ctime, now);
                               return {};
                             }))
                           : fail(directory.error());
  if (!touched) log::debug("the ctime of a renamed directory: {}", touched.error().to_string());
}

void StoreFileSystem::note_moved(const Entry& entry, const NodePlace& place) {
  for (const FileNodePtr& node : nodes_.moved(entry.id, place)) {
    publisher_.moved(node);
    periodic_.consider(node);
  }
}

void StoreFileSystem::note_replaced(const Entry& entry) {
  for (const FileNodePtr& node : nodes_.unlinked(entry.id)) publisher_.replaced(node);
}

void StoreFileSystem::note_unlinked(const Entry& entry) {
  for (const FileNodePtr& node : nodes_.unlinked(entry.id)) publisher_.unlinked(node);
}

}  // namespace cairn
