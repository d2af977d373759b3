// Reading directories.
#include <cerrno>

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

Result<void> StoreFileSystem::take_listing(Listing& listing, const RequestContext& context) const {
  if (const auto* versions = dynamic_cast<const VersionsNode*>(listing.node.get())) {
    if (auto fresh = freshen(*versions->parent->directory, context); !fresh) return fresh;
    auto entries = list_versions_node(*versions);
    if (!entries) return fail(std::move(entries).error());
    listing.entries = std::move(*entries);
    return {};
  }
  const auto& node = static_cast<const DirectoryNode&>(*listing.node);
  if (auto fresh = freshen(*node.directory, context); !fresh) return fresh;
  listing.entries = list_directory(node);
  return {};
}

Result<HandleId> StoreFileSystem::open_directory(NodeId id, const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  if ((*node)->kind != Kind::directory) return fail_posix(ENOTDIR, "node {} is no directory", id);
  auto listing = std::make_shared<Listing>();
  listing->node = *node;
  if (auto taken = take_listing(*listing, context); !taken) return fail(std::move(taken).error());
  nodes_.hold(**node);
  return listings_.add(std::move(listing));
}

Result<void> StoreFileSystem::read_directory(HandleId handle, uint64_t offset, bool plus, const Emit& emit,
                                             const RequestContext& context) {
  auto found = listings_.find(handle);
  if (!found) return fail(std::move(found).error());
  Listing& listing = **found;
  std::unique_lock lock(listing.mutex);
  if (offset == 0 && listing.started) {
    if (auto taken = take_listing(listing, context); !taken) return taken;
  }
  listing.started = true;
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
