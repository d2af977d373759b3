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

DirectoryEntry StoreFileSystem::Listed::at(uint64_t index) const {
  if (index < first.size()) return first[index];
  const auto& [name, entry] = (*names)[index - first.size()];
  return {name, entry->id, entry->kind};
}

StoreFileSystem::Listed StoreFileSystem::list_directory(const DirectoryNode& node) const {
  const DirectoryNodePtr parent = nodes_.parent(node);
  return {.first = {{".", node.ino, Kind::directory}, {"..", parent ? parent->ino : node.ino, Kind::directory}},
          .names = node.directory->list()};
}

Result<void> StoreFileSystem::freshen_listed(const Node& node, const RequestContext& context) const {
  if (const auto* versions = dynamic_cast<const VersionsNode*>(&node)) {
    return freshen(*versions->parent->directory, context);
  }
  return freshen(*static_cast<const DirectoryNode&>(node).directory, context);
}

Result<StoreFileSystem::Listed> StoreFileSystem::entries_of(const Node& node) const {
  const auto* versions = dynamic_cast<const VersionsNode*>(&node);
  if (versions == nullptr) return list_directory(static_cast<const DirectoryNode&>(node));
  auto entries = list_versions_node(*versions);
  if (!entries) return fail(std::move(entries).error());
  return Listed{.first = std::move(*entries), .names = nullptr};
}

Result<HandleId> StoreFileSystem::open_directory(NodeId id, const Caller& caller, const RequestContext& context) {
  auto node = nodes_.find(id);
  if (!node) return fail(std::move(node).error());
  if ((*node)->kind != Kind::directory) return fail_posix(ENOTDIR, "node {} is no directory", id);
  if (auto fresh = freshen_listed(**node, context); !fresh) return fail(std::move(fresh).error());
  auto share = open_shares_.take(caller.uid);
  if (!share) return fail(std::move(share).error());
  nodes_.hold(**node);
  return listings_.add(std::make_shared<Listing>(*node, std::move(*share)));
}

Result<void> StoreFileSystem::rewind(Listing& listing, uint64_t offset, const RequestContext& context) const {
  bool is_first = false;
  {
    const MutexLock lock(listing.mutex);
    is_first = !std::exchange(listing.started, true);
  }
  if (!is_first && offset != 0) return {};
  if (!is_first) {
    if (auto fresh = freshen_listed(*listing.node, context); !fresh) return fresh;
  }
  auto entries = entries_of(*listing.node);
  if (!entries) return fail(std::move(entries).error());
  const MutexLock lock(listing.mutex);
  listing.listed = std::move(*entries);
  return {};
}

Result<void> StoreFileSystem::read_directory(HandleId handle, uint64_t offset, bool plus, const Emit& emit,
                                             const RequestContext& context) {
  auto found = listings_.find(handle);
  if (!found) return fail(std::move(found).error());
  Listing& listing = **found;
  if (auto ready = rewind(listing, offset, context); !ready) return ready;
  const MutexLock lock(listing.mutex);
  const auto directory = plus ? std::dynamic_pointer_cast<DirectoryNode>(listing.node) : nullptr;
  for (uint64_t i = offset; i < listing.listed.size(); ++i) {
    const DirectoryEntry entry = listing.listed.at(i);
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
  if (auto drained = drain_order(context); !drained) return drained;
  return directory->directory->flush(context);
}

void StoreFileSystem::release_directory(HandleId handle) {
  if (const auto listing = listings_.take(handle)) nodes_.release(listing->node->id);
}

}  // namespace cairn
