// Reading directories.
#include <cerrno>

#include "base/mutex.h"
#include "base/posix_error.h"
#include "fs/store_file_system.h"
#include "fs/versions_directory.h"

namespace cairn {

Result<std::vector<DirectoryEntry>> StoreFileSystem::list_versions_node(const VersionsNode& node) const {
  const Directory& directory = *node.parent->directory;
  const EntryId above = node.name.empty() ? directory.id() : versions_inode(directory.id());
  std::vector<DirectoryEntry> entries = {{".", node.ino, Kind::directory}, {"..", above, Kind::directory}};
  std::vector<DirectoryEntry> listed;
  if (node.name.empty()) {
    listed = list_histories(directory);
  } else {
    auto history = find_history(directory, node.name);
    if (!history) return fail(std::move(history).error());
    listed = list_versions(directory.id(), node.name, **history);
  }
  entries.insert(entries.end(), listed.begin(), listed.end());
  return entries;
}

std::vector<DirectoryEntry> StoreFileSystem::list_directory(const DirectoryNode& node) const {
  const DirectoryNodePtr parent = nodes_.parent(node);
  const auto named = node.directory->list();
  std::vector<DirectoryEntry> entries;
  entries.reserve(named.size() + 2);
  entries.push_back({".", node.ino, Kind::directory});
  entries.push_back({"..", parent ? parent->ino : node.ino, Kind::directory});
  for (const auto& [name, entry] : named) entries.push_back({name, entry->id, entry->kind});
  return entries;
}

Result<std::vector<DirectoryEntry>> StoreFileSystem::entries_of(const Node& node, const RequestContext& context) const {
  if (const auto* versions = dynamic_cast<const VersionsNode*>(&node)) {
    if (auto fresh = freshen(*versions->parent->directory, context); !fresh) return fail(std::move(fresh).error());
    return list_versions_node(*versions);
  }
  const auto& directory = static_cast<const DirectoryNode&>(node);
  if (auto fresh = freshen(*directory.directory, context); !fresh) return fail(std::move(fresh).error());
  return list_directory(directory);
}

Result<HandleId> StoreFileSystem::open_directory(NodeId id, const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  if ((*node)->kind != Kind::directory) return fail_posix(ENOTDIR, "node {} is no directory", id);
  auto entries = entries_of(**node, context);
  if (!entries) return fail(std::move(entries).error());
  nodes_.hold(**node);
  return listings_.add(std::make_shared<Listing>(*node, std::move(*entries)));
}

Result<void> StoreFileSystem::rewind(Listing& listing, const RequestContext& context) const {
  {
    const MutexLock lock(listing.mutex);
    if (!std::exchange(listing.started, true)) return {};
  }
  auto entries = entries_of(*listing.node, context);
  if (!entries) return fail(std::move(entries).error());
  const MutexLock lock(listing.mutex);
  listing.entries = std::move(*entries);
  return {};
}

Result<void> StoreFileSystem::read_directory(HandleId handle, uint64_t offset, bool plus, const Emit& emit,
                                             const RequestContext& context) {
  auto found = listings_.find(handle);
  if (!found) return fail(std::move(found).error());
  Listing& listing = **found;
  if (offset == 0) {
    if (auto rewound = rewind(listing, context); !rewound) return rewound;
  }
  const MutexLock lock(listing.mutex);
  const auto directory = plus ? std::dynamic_pointer_cast<DirectoryNode>(listing.node) : nullptr;
  for (uint64_t i = offset; i < listing.entries.size(); ++i) {
    const DirectoryEntry& entry = listing.entries[i];
    std::optional<NodeReply> reply;
    if (directory && i >= 2) reply = reply_for_listing(directory, entry);
    if (emit(entry, reply, i + 1)) continue;
    if (reply) nodes_.release(reply->node);
    break;
  }
  return {};
}

Result<void> StoreFileSystem::sync_directory(NodeId id, const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  const auto directory = std::dynamic_pointer_cast<DirectoryNode>(*node);
  if (!directory || directory->directory->removed()) return {};
  return directory->directory->flush(context);
}

void StoreFileSystem::release_directory(HandleId handle) {
  if (const auto listing = listings_.take(handle)) nodes_.release(listing->node->id);
}

}  // namespace cairn
