// From names to nodes, and from nodes to their entries in the store.
#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "base/posix_error.h"
#include "fs/name.h"
#include "fs/store_file_system.h"
#include "fs/versions_directory.h"

namespace cairn {

namespace {

constexpr uint32_t kSymlinkMode = 0777;

uint64_t blocks_of(uint64_t size_bytes) { return (size_bytes + 511) / 512; }

NodeAttributes directory_attributes(const Directory& directory) {
  const Attributes attributes = directory.attributes();
  return {.ino = directory.id(),
          .kind = Kind::directory,
          .mode = attributes.mode,
          .nlink = directory.removed() ? 0U : 2U,
          .uid = attributes.uid,
          .gid = attributes.gid,
          .size_bytes = 0,
          .blocks_512 = 0,
          .mtime = attributes.mtime,
          .ctime = attributes.ctime};
}

uint64_t size_of(const FileView& view) {
  if (view.entry->kind == Kind::symlink) return view.entry->target.size();
  if (view.bytes) return view.bytes->size_bytes();
  return view.version ? view.version->size_bytes : 0;
}

uint64_t data_of(const FileView& view) {
  if (view.entry->kind == Kind::symlink) return 0;
  if (view.bytes) return view.bytes->data_bytes();
  return view.version ? view.version->size_bytes - view.version->hole_bytes : 0;
}

// A node that another host's publication has left behind goes on with its own version's time.
Nanos published_mtime(const FileView& view) {
  const bool is_current = !view.version || same_bytes(view.version, view.entry->current());
  return is_current ? view.entry->attributes.mtime : view.version->mtime;
}

NodeAttributes file_attributes(const FileView& view) {
  const Attributes& attributes = view.entry->attributes;
  NodeAttributes reply = {.ino = view.entry->id,
                          .kind = view.entry->kind,
                          .mode = view.entry->kind == Kind::symlink ? kSymlinkMode : attributes.mode,
                          .nlink = view.unlinked ? 0U : 1U,
                          .uid = attributes.uid,
                          .gid = attributes.gid,
                          .size_bytes = size_of(view),
                          .blocks_512 = blocks_of(data_of(view)),
                          .mtime = published_mtime(view),
                          .ctime = attributes.ctime};
  if (!view.bytes) return reply;
  if (const auto written = view.bytes->unpublished_mtime()) {
    reply.mtime = *written;
    reply.ctime = std::max(reply.ctime, *written);
  }
  return reply;
}

bool is_out_of_reach(const Error& error) {
  return error.code() == Errc::unavailable || error.code() == Errc::deadline_exceeded;
}

}  // namespace

Result<DirectoryNodePtr> StoreFileSystem::directory_node(NodeId id) const {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  auto directory = std::dynamic_pointer_cast<DirectoryNode>(*node);
  if (directory) return directory;
  if ((*node)->kind == Kind::directory) return fail_posix(EROFS, "'{}' is read-only", kVersionsName);
  return fail_posix(ENOTDIR, "node {} is no directory", id);
}

Result<FileNodePtr> StoreFileSystem::file_node(NodeId id) const {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  if ((*node)->kind == Kind::directory) return fail_posix(EISDIR, "node {} is a directory", id);
  return std::static_pointer_cast<FileNode>(*node);
}

Result<void> StoreFileSystem::check_writable() const {
  if (environment_.options.read_only) return fail_posix(EROFS, "mounted read-only");
  return {};
}

// Nothing under `.versions` ever changes, and on a read-only mount nothing at all.
Result<void> StoreFileSystem::check_writable(const Node& node) const {
  const auto* file = dynamic_cast<const FileNode*>(&node);
  const bool is_past = dynamic_cast<const VersionsNode*>(&node) != nullptr || (file != nullptr && file->old_version);
  if (is_past) return fail_posix(EROFS, "'{}' is read-only", kVersionsName);
  return check_writable();
}

// For requests that only look: while the store is out of reach, they see what this host knows already.
Result<void> StoreFileSystem::freshen(Directory& directory, const RequestContext& context) const {
  if (reach_.is_hanging(directory.id())) return {};
  const SteadyTime asked = environment_.clock.steady_now();
  auto fresh = directory.refresh(environment_.options.revalidate, context);
  if (fresh) {
    reach_.answered(directory.id(), environment_.clock.steady_now() - directory.age());
    return fresh;
  }
  if (!is_out_of_reach(fresh.error())) return fresh;
  reach_.unanswered(directory.id(), asked, fresh.error());
  return {};
}

std::chrono::nanoseconds StoreFileSystem::valid_for(const Directory& directory) const {
  return std::max(std::chrono::nanoseconds(0), environment_.options.revalidate - directory.age());
}

Result<NodeReply> StoreFileSystem::lookup(NodeId parent, const std::string& name, const RequestContext& context) {
  if (auto valid = check_name(name); !valid) return fail(std::move(valid).error());
  auto node = nodes_.find(parent);
  if (!node) return fail(std::move(node).error());
  if (const auto* versions = dynamic_cast<const VersionsNode*>(node->get())) {
    return lookup_version(*versions, name, context);
  }
  auto directory = directory_node(parent);
  if (!directory) return fail(std::move(directory).error());
  if (name == kVersionsName) {
    return describe_versions(*nodes_.hold_versions(*directory, versions_inode((*directory)->ino), {}));
  }
  if (auto fresh = freshen(*(*directory)->directory, context); !fresh) return fail(std::move(fresh).error());
  return reply_with_name({*directory, name}, context);
}

// Looks again where a rename on this host comes between reading the entry and holding its node: the node's place would
// be set back to where the file was before.
Result<NodeReply> StoreFileSystem::reply_with_name(const NodePlace& place, const RequestContext& context) {
  while (true) {
    const uint64_t seen = nodes_.changes();
    const EntryPtr entry = place.parent->directory->find(place.name);
    if (!entry) return fail_posix(ENOENT, "no '{}'", place.name);
    if (entry->kind == Kind::directory) return reply_with_directory(place, context);
    const FileNodePtr node = nodes_.hold_file_if(seen, place, entry);
    if (!node) continue;
    if (!retire_if_held_back(*node)) return describe_file(*node);
    nodes_.release(node->id);
  }
}

Result<NodeReply> StoreFileSystem::reply_with_directory(const NodePlace& place, const RequestContext& context) {
  auto directory = names_->open_child(*place.parent->directory, place.name, context);
  if (!directory) return fail(std::move(directory).error());
  if (auto fresh = freshen(**directory, context); !fresh) return fail(std::move(fresh).error());
  if ((*directory)->removed()) return fail_posix(ENOENT, "'{}' was removed", place.name);
  DirectoryNodePtr node;
  while (!node) {
    const uint64_t seen = nodes_.changes();
    const EntryPtr entry = place.parent->directory->find(place.name);
    if (!entry || entry->id != (*directory)->id()) return fail_posix(ENOENT, "'{}' was moved away", place.name);
    node = nodes_.hold_directory_if(seen, *directory, place);
  }
  NodeReply reply = describe_directory(*node);
  reply.valid_for = std::min(reply.valid_for, valid_for(*place.parent->directory));
  return reply;
}

NodeReply StoreFileSystem::describe_directory(const DirectoryNode& node) const {
  return {node.id, directory_attributes(*node.directory), valid_for(*node.directory)};
}

NodeReply StoreFileSystem::describe_file(const FileNode& node) const {
  const FileView view = nodes_.view(node);
  const bool changes_elsewhere = view.place.parent && !view.unlinked;
  return {node.id, file_attributes(view),
          changes_elsewhere ? valid_for(*view.place.parent->directory) : environment_.options.revalidate};
}

NodeReply StoreFileSystem::describe_versions(const VersionsNode& node) const {
  const Directory& directory = *node.parent->directory;
  return {node.id, versions_attributes(directory.attributes(), node.ino), valid_for(directory)};
}

Result<NodeReply> StoreFileSystem::lookup_version(const VersionsNode& versions, const std::string& name,
                                                  const RequestContext& context) {
  Directory& directory = *versions.parent->directory;
  if (auto fresh = freshen(directory, context); !fresh) return fail(std::move(fresh).error());
  if (!versions.name.empty()) {
    auto entry = find_old_version(directory, versions.name, name);
    if (!entry) return fail(std::move(entry).error());
    const NodePlace place{versions.parent, versions.name + "/" + name};
    while (true) {
      const FileNodePtr node = nodes_.hold_old_version(place, *entry);
      if (!retire_if_held_back(*node)) return describe_file(*node);
      nodes_.release(node->id);
    }
  }
  if (auto history = find_history(directory, name); !history) return fail(std::move(history).error());
  return describe_versions(*nodes_.hold_versions(versions.parent, versions_inode(directory.id(), name), name));
}

void StoreFileSystem::forget(NodeId node, uint64_t lookups) { nodes_.release(node, lookups); }

// The node with its entry as the store has it by now.
Result<FileView> StoreFileSystem::fresh_view(FileNode& node, const RequestContext& context) {
  const FileView view = nodes_.view(node);
  if (node.old_version || view.unlinked) return view;
  Directory& directory = *view.place.parent->directory;
  if (auto fresh = freshen(directory, context); !fresh) return fail(std::move(fresh).error());
  if (EntryPtr entry = directory.find(view.place.name); entry && entry->id == node.ino) {
    nodes_.set_entry(node, std::move(entry));
  }
  return nodes_.view(node);
}

Result<NodeReply> StoreFileSystem::describe(const NodePtr& node, const RequestContext& context) {
  if (const auto* versions = dynamic_cast<const VersionsNode*>(node.get())) return describe_versions(*versions);
  if (const auto* directory = dynamic_cast<const DirectoryNode*>(node.get())) {
    if (auto fresh = freshen(*directory->directory, context); !fresh) return fail(std::move(fresh).error());
    return describe_directory(*directory);
  }
  auto& file = static_cast<FileNode&>(*node);
  if (auto fresh = fresh_view(file, context); !fresh) return fail(std::move(fresh).error());
  catch_up(file, context);
  return describe_file(file);
}

Result<NodeReply> StoreFileSystem::get_attributes(NodeId id, std::optional<HandleId> /*handle*/,
                                                  const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  return describe(*node, context);
}

// Only entries that are no directories: a listing opens none.
std::optional<NodeReply> StoreFileSystem::reply_for_listing(const DirectoryNodePtr& parent,
                                                            const DirectoryEntry& listed) {
  const uint64_t seen = nodes_.changes();
  const EntryPtr entry = parent->directory->find(listed.name);
  if (!entry || entry->id != listed.ino || entry->kind == Kind::directory) return std::nullopt;
  const FileNodePtr node = nodes_.hold_file_if(seen, {parent, listed.name}, entry);
  return node ? std::optional(describe_file(*node)) : std::nullopt;
}

}  // namespace cairn
