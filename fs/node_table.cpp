#include "fs/node_table.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/posix_error.h"

namespace cairn {

namespace {

bool same_content(const Content& a, const Content& b) {
  if (a.index() != b.index()) return false;
  if (const auto* manifest = std::get_if<ManifestPtr>(&a)) {
    const auto& other = std::get<ManifestPtr>(b);
    return *manifest == other || (*manifest)->chunks() == other->chunks();
  }
  if (const auto* digest = std::get_if<Digest>(&a)) return *digest == std::get<Digest>(b);
  const auto& left = std::get<SharedBuffer>(a);
  const auto& right = std::get<SharedBuffer>(b);
  if (!left || !right) return left == right;
  return as_text(left->view()) == as_text(right->view());
}

// `node` if it is a file that a directory lists: no old version, whose number may be the same.
FileNodePtr named_file(const NodePtr& node) {
  auto file = std::dynamic_pointer_cast<FileNode>(node);
  return file && !file->old_version ? file : nullptr;
}

}  // namespace

bool same_bytes(const VersionPtr& a, const VersionPtr& b) {
  if (a == b) return true;
  const uint64_t a_size = a ? a->size_bytes : 0;
  const uint64_t b_size = b ? b->size_bytes : 0;
  if (a_size != b_size) return false;
  return a_size == 0 || same_content(a->content, b->content);
}

NodeTable::NodeTable(std::shared_ptr<Directory> root)
    : root_(std::make_shared<DirectoryNode>(next_id_, std::move(root))) {
  MutexLock lock(mutex_);
  add_locked(root_);
}

Result<NodePtr> NodeTable::find(NodeId id) const {
  MutexLock lock(mutex_);
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return fail_posix(ESTALE, "no node {}", id);
  return found->second;
}

template <class T, class Matches>
std::shared_ptr<T> NodeTable::find_locked(EntryId ino, const Matches& matches) const {
  const auto [first, last] = by_entry_.equal_range(ino);
  for (auto it = first; it != last; ++it) {
    auto node = std::dynamic_pointer_cast<T>(it->second);
    if (node && matches(*node)) return node;
  }
  return nullptr;
}

bool NodeTable::is_unpublished(const FileNode& node) {
  return !node.unlinked_ && node.bytes_ && node.bytes_->unpublished();
}

bool NodeTable::shows(const FileNode& node, const EntryPtr& entry) {
  return !node.old_version && !node.unlinked_ && same_bytes(node.version_, entry->current());
}

bool NodeTable::is_only_read_locked(const FileNode& node) {
  return node.cached_ > 0 && node.writers_ == 0 && !(node.bytes_ && node.bytes_->unpublished());
}

// Registers a new node, held once.
template <class T>
std::shared_ptr<T> NodeTable::add_locked(std::shared_ptr<T> node) {
  ++next_id_;
  node->holds_ = 1;
  nodes_.emplace(node->id, node);
  by_entry_.emplace(node->ino, node);
  return node;
}

uint64_t NodeTable::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

DirectoryNodePtr NodeTable::hold_directory(const std::shared_ptr<Directory>& directory, const NodePlace& place) {
  std::vector<NodePtr> gone;
  MutexLock lock(mutex_);
  return hold_directory_locked(directory, place, gone);
}

DirectoryNodePtr NodeTable::hold_directory_if(uint64_t seen, const std::shared_ptr<Directory>& directory,
                                              const NodePlace& place) {
  std::vector<NodePtr> gone;
  MutexLock lock(mutex_);
  return changes_ == seen ? hold_directory_locked(directory, place, gone) : nullptr;
}

DirectoryNodePtr NodeTable::hold_directory_locked(const std::shared_ptr<Directory>& directory, const NodePlace& place,
                                                  std::vector<NodePtr>& gone) {
  auto node = find_locked<DirectoryNode>(directory->id(), [&](const auto& it) { return it.directory == directory; });
  if (node) {
    ++node->holds_;
  } else {
    node = add_locked(std::make_shared<DirectoryNode>(next_id_, directory));
  }
  if (node != root_) set_parent_locked(*node, place, gone);
  return node;
}

FileNodePtr NodeTable::hold_file(const NodePlace& place, const EntryPtr& entry) {
  MutexLock lock(mutex_);
  return hold_file_locked(place, entry);
}

FileNodePtr NodeTable::hold_file_if(uint64_t seen, const NodePlace& place, const EntryPtr& entry) {
  MutexLock lock(mutex_);
  return changes_ == seen ? hold_file_locked(place, entry) : nullptr;
}

FileNodePtr NodeTable::hold_file_locked(const NodePlace& place, const EntryPtr& entry) {
  // Unpublished bytes come first: on this host the file is what was written last, even if another host has published a
  // version meanwhile. Else only a node with the very same bytes will do, since the kernel's pages belong to the node.
  auto node = find_locked<FileNode>(entry->id, is_unpublished);
  if (!node)
    node = find_locked<FileNode>(entry->id, [&](const auto& it) { return it.writers_ > 0 && shows(it, entry); });
  if (!node) node = find_locked<FileNode>(entry->id, [&](const auto& it) { return !it.retired_ && shows(it, entry); });
  if (node) {
    ++node->holds_;
    node->entry_ = entry;
  } else {
    node = add_locked(std::make_shared<FileNode>(next_id_, entry, nullptr));
  }
  node->place_ = place;
  return node;
}

FileNodePtr NodeTable::hold_old_version(const NodePlace& of, const EntryPtr& entry) {
  MutexLock lock(mutex_);
  auto node = find_locked<FileNode>(entry->id, [&](const auto& it) {
    return it.old_version && !it.retired_ && it.version_of->parent == of.parent && it.version_of->name == of.name &&
           same_bytes(it.version_, entry->current());
  });
  if (!node) return add_locked(std::make_shared<FileNode>(next_id_, entry, std::make_unique<const NodePlace>(of)));
  ++node->holds_;
  node->entry_ = entry;
  return node;
}

VersionsNodePtr NodeTable::hold_versions(const DirectoryNodePtr& directory, EntryId ino, const std::string& name) {
  MutexLock lock(mutex_);
  auto node = find_locked<VersionsNode>(ino, [&](const auto& it) { return it.parent == directory && it.name == name; });
  if (!node) return add_locked(std::make_shared<VersionsNode>(next_id_, ino, directory, name));
  ++node->holds_;
  return node;
}

void NodeTable::hold(Node& node) {
  MutexLock lock(mutex_);
  ++node.holds_;
}

void NodeTable::release(NodeId id, uint64_t holds) {
  std::vector<NodePtr> gone;
  MutexLock lock(mutex_);
  if (const auto found = nodes_.find(id); found != nodes_.end()) release_locked(found->second, holds, gone);
}

// The caller destroys `gone` without the lock: a draft that a node owns waits for the chunks that it is sending. `node`
// comes by value, as the map's own pointer may go. A directory that goes gives back its hold of the one above it.
void NodeTable::release_locked(NodePtr node, uint64_t holds, std::vector<NodePtr>& gone) {
  while (node && node != root_) {
    node->holds_ -= std::min(holds, node->holds_);
    if (node->holds_ > 0) return;
    nodes_.erase(node->id);
    const auto [first, last] = by_entry_.equal_range(node->ino);
    for (auto it = first; it != last; ++it) {
      if (it->second != node) continue;
      by_entry_.erase(it);
      break;
    }
    gone.push_back(node);
    const auto directory = std::dynamic_pointer_cast<DirectoryNode>(node);
    node = directory ? directory->parent_ : nullptr;
    holds = 1;
  }
}

// A directory holds the one above it, so that ancestry can be asked for as long as there is a child.
void NodeTable::set_parent_locked(DirectoryNode& node, const NodePlace& place, std::vector<NodePtr>& gone) {
  node.name_ = place.name;
  if (node.parent_ == place.parent || place.parent.get() == &node) return;
  cut_ring_locked(node, place.parent, gone);
  if (place.parent) ++place.parent->holds_;
  const NodePtr before = std::exchange(node.parent_, place.parent);
  if (before) release_locked(before, 1, gone);
}

// What `node` is about to be put below was seen below `node` before: that is out of date, or the store has a ring. In
// either case the older of the two is forgotten, so that every walk upwards ends.
void NodeTable::cut_ring_locked(const DirectoryNode& node, const DirectoryNodePtr& parent, std::vector<NodePtr>& gone) {
  for (DirectoryNodePtr at = parent; at; at = at->parent_) {
    if (at->parent_.get() != &node) continue;
    const NodePtr before = std::exchange(at->parent_, nullptr);
    release_locked(before, 1, gone);
    return;
  }
}

FileView NodeTable::view(const FileNode& node) const {
  MutexLock lock(mutex_);
  return {node.place_,   node.perhaps_, node.unlinked_,          node.entry_,
          node.version_, node.bytes_,   node.backing_ != nullptr};
}

void NodeTable::set_entry(FileNode& node, EntryPtr entry) {
  MutexLock lock(mutex_);
  node.entry_ = std::move(entry);
}

void NodeTable::set_name(FileNode& node, const std::string& name) {
  MutexLock lock(mutex_);
  node.place_.name = name;
}

void NodeTable::advance(FileNode& node, VersionPtr version) {
  MutexLock lock(mutex_);
  node.version_ = std::move(version);
}

std::shared_ptr<FileBytes> NodeTable::open(FileNode& node, OpenMode mode, const MakeBytes& make) {
  MutexLock lock(mutex_);
  if (mode != OpenMode::undecided && node.backing_) return nullptr;
  if (mode != OpenMode::undecided) ++node.cached_;
  if (mode == OpenMode::written) ++node.writers_;
  ++node.holds_;
  ++node.opens_;
  ++node.opened_;
  if (!node.bytes_) node.bytes_ = make(node.version_);
  return node.bytes_;
}

// The kernel gives a node's mode back before it tells us of a close, so what is counted here is never less than what it
// counts.
std::shared_ptr<const Backing> NodeTable::decide(FileNode& node, const VersionPtr& version,
                                                 std::shared_ptr<const Backing> offered,
                                                 const std::function<bool()>& is_wanted) {
  MutexLock lock(mutex_);
  const bool may_begin = node.cached_ == 0 && !node.growing_ && !(node.bytes_ && node.bytes_->unpublished()) &&
                         same_bytes(node.version_, version);
  if (!node.backing_ && offered && may_begin && is_wanted()) node.backing_ = std::move(offered);
  ++(node.backing_ ? node.native_ : node.cached_);
  return node.backing_;
}

// The bytes end without the lock, as their draft waits for the chunks that it is sending; so does the backing, which is
// the kernel's. The hold goes last: until then the node is there for the caller.
void NodeTable::close(FileNode& node, OpenMode mode) {
  std::shared_ptr<FileBytes> dropped;
  std::shared_ptr<const Backing> backing;
  {
    MutexLock lock(mutex_);
    check(node.opens_ > 0, "a node is closed as often as it was opened");
    if (mode == OpenMode::written) --node.writers_;
    if (mode == OpenMode::written || mode == OpenMode::cached) --node.cached_;
    if (mode == OpenMode::native && --node.native_ == 0) backing = std::exchange(node.backing_, nullptr);
    if (--node.opens_ == 0) dropped = std::exchange(node.bytes_, nullptr);
    ++node.closing_;
  }
  backing.reset();
  dropped.reset();  // with it ends what it still had on its way to the page cache
  {
    MutexLock lock(mutex_);
    --node.closing_;
  }
  release(node.id);
}

bool NodeTable::is_native(EntryId file) const {
  MutexLock lock(mutex_);
  return find_locked<FileNode>(file, [](const auto& it) { return !it.old_version && it.backing_; }) != nullptr;
}

void NodeTable::retire_native(EntryId file) {
  MutexLock lock(mutex_);
  const auto [first, last] = by_entry_.equal_range(file);
  for (auto it = first; it != last; ++it) {
    const auto node = named_file(it->second);
    if (node && node->backing_) node->retired_ = true;
  }
}

bool NodeTable::is_only_read(const FileNode& node) const {
  MutexLock lock(mutex_);
  return is_only_read_locked(node);
}

bool NodeTable::retire_only_read(FileNode& node) {
  MutexLock lock(mutex_);
  if (!is_only_read_locked(node)) return false;
  node.retired_ = true;
  return true;
}

bool NodeTable::is_written_elsewhere(const FileNode& node, const EntryPtr& entry) const {
  MutexLock lock(mutex_);
  if (is_unpublished(node)) return false;
  if (find_locked<FileNode>(entry->id, is_unpublished)) return true;
  if (node.writers_ > 0) return false;
  return find_locked<FileNode>(entry->id, [&](const auto& it) { return it.writers_ > 0 && shows(it, entry); }) !=
         nullptr;
}

std::optional<uint64_t> NodeTable::idle_since(const FileNode& node) const {
  MutexLock lock(mutex_);
  if (node.opens_ > 0 || node.closing_ > 0) return std::nullopt;
  return node.opened_;
}

bool NodeTable::replace_idle(FileNode& node, VersionPtr version, uint64_t idle_since) {
  MutexLock lock(mutex_);
  if (node.opens_ > 0 || node.opened_ != idle_since) return false;
  node.version_ = std::move(version);
  return true;
}

bool NodeTable::begin_growth(FileNode& node, const VersionPtr& version) {
  MutexLock lock(mutex_);
  if (node.growing_ || (node.does_not_grow_ && same_bytes(node.does_not_grow_, version))) return false;
  node.growing_ = true;
  return true;
}

void NodeTable::end_growth(FileNode& node, VersionPtr known) {
  MutexLock lock(mutex_);
  node.growing_ = false;
  node.does_not_grow_ = std::move(known);
}

std::vector<FileNodePtr> NodeTable::moved(EntryId entry, const NodePlace& place) {
  std::vector<NodePtr> gone;
  std::vector<FileNodePtr> files;
  MutexLock lock(mutex_);
  ++changes_;
  const auto [first, last] = by_entry_.equal_range(entry);
  for (auto it = first; it != last; ++it) {
    if (auto file = named_file(it->second)) {
      file->place_ = place;
      file->perhaps_.reset();
      files.push_back(std::move(file));
    } else if (const auto directory = std::dynamic_pointer_cast<DirectoryNode>(it->second)) {
      set_parent_locked(*directory, place, gone);
    }
  }
  return files;
}

std::vector<FileNodePtr> NodeTable::unlinked(EntryId entry) {
  std::vector<FileNodePtr> files;
  MutexLock lock(mutex_);
  ++changes_;
  const auto [first, last] = by_entry_.equal_range(entry);
  for (auto it = first; it != last; ++it) {
    auto file = named_file(it->second);
    if (!file) continue;
    file->unlinked_ = true;
    files.push_back(std::move(file));
  }
  return files;
}

void NodeTable::perhaps_moved(EntryId entry, const NodePlace& place) {
  MutexLock lock(mutex_);
  const auto [first, last] = by_entry_.equal_range(entry);
  for (auto it = first; it != last; ++it) {
    if (const auto file = named_file(it->second)) file->perhaps_ = place;
  }
}

DirectoryNodePtr NodeTable::parent(const DirectoryNode& node) const {
  MutexLock lock(mutex_);
  return node.id == kRootNode ? root_ : node.parent_;
}

NodePlace NodeTable::place(const DirectoryNode& node) const {
  MutexLock lock(mutex_);
  return {node.parent_, node.name_};
}

bool NodeTable::is_within(const DirectoryNode& node, EntryId ancestor) const {
  MutexLock lock(mutex_);
  for (const DirectoryNode* at = &node; at != nullptr; at = at->parent_.get()) {
    if (at->ino == ancestor) return true;
  }
  return false;
}

std::string NodeTable::path(const NodePlace& place) const {
  MutexLock lock(mutex_);
  std::string path = place.name;
  for (auto at = place.parent; at && at != root_; at = at->parent_) path = at->name_ + "/" + path;
  return path;
}

FileNodePtr NodeTable::find_unpublished(EntryId entry) const {
  MutexLock lock(mutex_);
  return find_locked<FileNode>(entry, is_unpublished);
}

std::vector<FileNodePtr> NodeTable::with_unpublished_bytes() const {
  std::vector<FileNodePtr> found;
  MutexLock lock(mutex_);
  for (const auto& [id, node] : nodes_) {
    auto file = std::dynamic_pointer_cast<FileNode>(node);
    if (file && is_unpublished(*file)) found.push_back(std::move(file));
  }
  return found;
}

NodeTable::Counts NodeTable::counts() const {
  Counts counts;
  MutexLock lock(mutex_);
  counts.nodes = nodes_.size();
  for (const auto& [id, node] : nodes_) {
    const auto* file = dynamic_cast<const FileNode*>(node.get());
    if (file != nullptr && file->bytes_ && file->bytes_->has_draft()) ++counts.drafts;
  }
  return counts;
}

}  // namespace cairn
