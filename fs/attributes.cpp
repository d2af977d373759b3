// chmod, chown, utimens, truncate, and extended attributes.
#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>

#include "base/posix_error.h"
#include "fs/store_file_system.h"
#include "fs/xattr.h"

namespace cairn {

namespace {

constexpr uint32_t kModeBits = 07777;
constexpr uint32_t kSetUid = 04000;
constexpr uint32_t kSetGid = 02000;
constexpr uint32_t kGroupExecute = 00010;

// chown(2): set-id bits of what can be executed do not survive a change of owner.
uint32_t without_set_id(uint32_t mode) {
  const bool can_execute_as_group = (mode & kGroupExecute) != 0;
  return mode & ~(kSetUid | (can_execute_as_group ? kSetGid : 0U));
}

AttributeChange change_for(const SetAttributes& wanted, Kind kind, Nanos now) {
  return [=](Attributes& attributes) -> Result<void> {
    const bool owner_changes = wanted.uid || wanted.gid;
    if (owner_changes && kind == Kind::file) attributes.mode = without_set_id(attributes.mode);
    if (wanted.mode) attributes.mode = *wanted.mode & kModeBits;
    attributes.uid = wanted.uid.value_or(attributes.uid);
    attributes.gid = wanted.gid.value_or(attributes.gid);
    attributes.mtime = wanted.mtime.value_or(attributes.mtime);
    attributes.ctime = now;
    return {};
  };
}

// Whether somebody may do less afterwards. A label of `security.*` decides what may be done, too.
bool narrows(const AttributeChange& change, const Attributes& before) {
  constexpr uint32_t kRights = 0777;
  Attributes after = before;
  if (!change(after)) return false;  // it will fail for itself
  const auto is_label = [](const auto& xattr) { return xattr.first.starts_with("security."); };
  const auto labels = [&](const Attributes& of) {
    std::map<std::string, std::string> found;
    std::ranges::copy_if(of.xattrs, std::inserter(found, found.end()), is_label);
    return found;
  };
  return (before.mode & kRights & ~after.mode) != 0 || before.uid != after.uid || before.gid != after.gid ||
         labels(before) != labels(after);
}

bool changes_entry(const SetAttributes& wanted) { return wanted.mode || wanted.uid || wanted.gid || wanted.mtime; }

}  // namespace

Result<NodeReply> StoreFileSystem::set_attributes(NodeId id, const SetAttributes& wanted,
                                                  const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  if (auto writable = check_writable(**node); !writable) return fail(std::move(writable).error());
  auto done = wanted.size_bytes ? set_size(*node, wanted, context) : apply(*node, wanted, context);
  if (!done) return fail(std::move(done).error());
  return describe(*node, context);
}

// Everything but the size.
Result<void> StoreFileSystem::apply(const NodePtr& node, SetAttributes wanted, const RequestContext& context) {
  if (auto* file = dynamic_cast<FileNode*>(node.get()); file != nullptr && wanted.mtime) {
    const auto bytes = nodes_.view(*file).bytes;
    if (bytes && bytes->set_unpublished_mtime(*wanted.mtime)) wanted.mtime.reset();
  }
  if (!changes_entry(wanted)) return {};
  return change(*node, change_for(wanted, node->kind, environment_.clock.wall_now()), context);
}

Result<void> StoreFileSystem::set_size(const NodePtr& node, const SetAttributes& wanted,
                                       const RequestContext& context) {
  if (node->kind == Kind::directory) return fail_posix(EISDIR, "a directory has no size to set");
  if (node->kind != Kind::file) return fail_posix(EINVAL, "only files have a size to set");
  const auto file = std::static_pointer_cast<FileNode>(node);
  if (!wanted.handle) return truncate_unopened(file, wanted, context);
  auto opened = files_.find(*wanted.handle);
  if (!opened) return fail(std::move(opened).error());
  if (!(*opened)->writable) return fail_posix(EINVAL, "not open for writing");
  if (auto done = resize(*file, *(*opened)->bytes, *wanted.size_bytes, context); !done) return done;
  changed(**opened);
  return apply(node, wanted, context);
}

// truncate(2): as if opened, truncated and closed; but where others are writing, their close publishes.
Result<void> StoreFileSystem::truncate_unopened(const FileNodePtr& node, const SetAttributes& wanted,
                                                const RequestContext& context) {
  if (auto current = check_current(*node, OpenMode::written, wanted.thread, context); !current) return current;
  const auto bytes = open_bytes(*node, OpenMode::written);
  if (!bytes) return refuse_writer(*node, wanted.thread);
  if (*wanted.size_bytes > 0) living_.note(node->ino);
  const bool others_write = bytes->unpublished() && !bytes->frozen();
  const uint64_t session = environment_.random.next_u64();
  bytes->add_writer(session, wanted.caller_uid);
  auto done = resize(*node, *bytes, *wanted.size_bytes, context);
  if (done) done = apply(node, wanted, context);
  if (done && !others_write) done = publisher_.publish(node, session, context);
  bytes->remove_writer();
  nodes_.close(*node, OpenMode::written);
  return done;
}

Result<void> StoreFileSystem::resize(FileNode& node, FileBytes& bytes, uint64_t size_bytes,
                                     const RequestContext& context) {
  if (bytes.size_bytes() != size_bytes) return bytes.truncate(size_bytes, context);
  const Nanos now = environment_.clock.wall_now();
  if (bytes.set_unpublished_mtime(now)) return {};
  return change(node, change_for({.mtime = now}, Kind::file, now), context);
}

// Who may do less than before must not be able to for another second on another host.
Result<void> StoreFileSystem::change(Node& node, const AttributeChange& change, const RequestContext& context) {
  auto* of = dynamic_cast<DirectoryNode*>(&node);
  if (of == nullptr) return change_file(static_cast<FileNode&>(node), change, context);
  const auto& directory = of->directory;
  return commit_change(directory, change_directory(change), narrows(change, directory->attributes()), context);
}

Result<void> StoreFileSystem::commit_change(const std::shared_ptr<Directory>& directory, Mutation mutation,
                                            bool at_once, const RequestContext& context) {
  if (!at_once) return publisher_.change_soon(directory, std::move(mutation));
  if (auto drained = drain_order(context); !drained) return drained;
  return directory->commit(std::move(mutation), context);
}

// An unlinked file's attributes are nobody's but this host's.
Result<void> StoreFileSystem::change_file(FileNode& node, const AttributeChange& change,
                                          const RequestContext& context) {
  const FileView view = nodes_.view(node);
  if (!view.unlinked) {
    const auto& directory = view.place.parent->directory;
    const EntryPtr seen = directory->find_committed(view.place.name);  // by others: a file that is new here is not
    const bool is_narrower = narrows(change, view.entry->attributes);
    const bool at_once = seen && seen->id == node.ino && is_narrower;
    auto done = commit_change(directory, change_entry(view.place.name, node.ino, change), at_once, context);
    if (done) {
      if (auto found = find_entry(*directory, view.place.name, node.ino); found.entry) {
        nodes_.set_entry(node, found.entry);
      }
      if (is_narrower) publisher_.attributes_changed(node);
    }
    if (done || done.error().code() != Errc::not_found || done.error().posix() == ENODATA) return done;
  }
  Entry changed = *view.entry;
  if (auto done = change(changed.attributes); !done) return done;
  nodes_.set_entry(node, std::make_shared<const Entry>(std::move(changed)));
  return {};
}

Result<Attributes> StoreFileSystem::attributes_of(Node& node, const RequestContext& context) {
  if (const auto* versions = dynamic_cast<const VersionsNode*>(&node)) {
    Attributes none = versions->parent->directory->attributes();
    none.xattrs.clear();
    return none;
  }
  if (const auto* directory = dynamic_cast<const DirectoryNode*>(&node)) {
    if (auto fresh = freshen(*directory->directory, context); !fresh) return fail(std::move(fresh).error());
    return directory->directory->attributes();
  }
  auto view = fresh_view(static_cast<FileNode&>(node), context);
  if (!view) return fail(std::move(view).error());
  return view->entry->attributes;
}

Result<std::string> StoreFileSystem::get_xattr(NodeId id, const std::string& name, const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  // The kernel asks for this one before every write; there never is one, and it need not know that there cannot be.
  if (name == "security.capability") return fail_posix(ENODATA, "no attribute '{}'", name);
  if (auto valid = check_xattr_name((*node)->kind, name); !valid) return fail(std::move(valid).error());
  auto attributes = attributes_of(**node, context);
  if (!attributes) return fail(std::move(attributes).error());
  return cairn::get_xattr(*attributes, name);
}

Result<std::vector<std::string>> StoreFileSystem::list_xattrs(NodeId id, const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  auto attributes = attributes_of(**node, context);
  if (!attributes) return fail(std::move(attributes).error());
  std::vector<std::string> names;
  for (const auto& [name, value] : attributes->xattrs) names.push_back(name);
  return names;
}

Result<void> StoreFileSystem::change_xattrs(NodeId id, const std::string& name, const AttributeChange& edit,
                                            const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  if (auto writable = check_writable(**node); !writable) return writable;
  if (auto valid = check_xattr_name((*node)->kind, name); !valid) return valid;
  if (auto fresh = attributes_of(**node, context); !fresh) return fail(std::move(fresh).error());
  const Nanos now = environment_.clock.wall_now();
  const auto dated = [=](Attributes& attributes) -> Result<void> {
    if (auto done = edit(attributes); !done) return done;
    attributes.ctime = now;
    return {};
  };
  return change(**node, dated, context);
}

Result<void> StoreFileSystem::set_xattr(NodeId id, const std::string& name, const std::string& value, int flags,
                                        const RequestContext& context) {
  return change_xattrs(
      id, name, [=](Attributes& attributes) { return cairn::set_xattr(attributes, name, value, flags); }, context);
}

Result<void> StoreFileSystem::remove_xattr(NodeId id, const std::string& name, const RequestContext& context) {
  return change_xattrs(
      id, name, [=](Attributes& attributes) { return cairn::remove_xattr(attributes, name); }, context);
}

}  // namespace cairn
