// The files and directories that the kernel knows by a NodeId.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "fs/backing.h"
#include "fs/file_bytes.h"
#include "fs/file_system.h"

namespace cairn {

// Small: there is one for every name that the kernel has looked up.
// Thread-safety: the public members are constant; NodeTable guards the private ones.
class Node {
 public:
  Node(NodeId node_id, EntryId inode, Kind node_kind) : id(node_id), ino(inode), kind(node_kind) {}
  virtual ~Node() = default;

  const NodeId id;
  const EntryId ino;  // st_ino, the same for every node of one entry
  const Kind kind;

 private:
  friend class NodeTable;
  uint64_t holds_ = 0;  // lookups, open handles, children of a directory, the publisher
};
using NodePtr = std::shared_ptr<Node>;

class DirectoryNode final : public Node {
 public:
  DirectoryNode(NodeId node_id, std::shared_ptr<Directory> of)
      : Node(node_id, of->id(), Kind::directory), directory(std::move(of)) {}

  const std::shared_ptr<Directory> directory;

 private:
  friend class NodeTable;
  std::shared_ptr<DirectoryNode> parent_;  // nullptr: the root, or not known
  std::string name_;
};
using DirectoryNodePtr = std::shared_ptr<DirectoryNode>;

// Where a node was last seen, which another host may have changed since.
struct NodePlace {
  DirectoryNodePtr parent;
  std::string name;
};

// Anything that is not a directory; for files, one published version and what this host writes on top of it. It moves
// on to a newer one where nobody can tell (following.cpp).
class FileNode final : public Node {
 public:
  // `of`: `.versions/<of->name>` of its parent, such as "NAME/3", is what this is, and never changes.
  FileNode(NodeId node_id, EntryPtr entry, std::unique_ptr<const NodePlace> of)
      : Node(node_id, entry->id, entry->kind),
        old_version(of != nullptr),
        version_of(std::move(of)),
        entry_(std::move(entry)),
        version_(entry_->current()) {}

  const bool old_version;  // under `.versions`
  const std::unique_ptr<const NodePlace> version_of;

 private:
  friend class NodeTable;
  NodePlace place_;
  std::optional<NodePlace> perhaps_;  // where a rename of which nothing was heard may have put it
  bool unlinked_ = false;
  EntryPtr entry_;                    // as last seen
  VersionPtr version_;                // whose bytes this node shows, drafts apart; nullptr: none yet
  std::shared_ptr<FileBytes> bytes_;  // while open or unpublished
  size_t opens_ = 0;
  size_t cached_ = 0;                       // of opens_: by OpenMode, those that are to write among them
  size_t writers_ = 0;                      // of cached_
  size_t native_ = 0;                       // of opens_
  std::shared_ptr<const Backing> backing_;  // while native_ is not 0
  bool retired_ = false;
  size_t closing_ = 0;        // closed, but what read its bytes may still be at it
  uint64_t opened_ = 0;       // how often, ever
  bool growing_ = false;      // somebody finds out whether a newer version only appends
  VersionPtr does_not_grow_;  // the last one that did not, or did and is shown
};
using FileNodePtr = std::shared_ptr<FileNode>;

// `.versions`, or with a name `.versions/NAME`: made up from the history that a directory lists.
class VersionsNode final : public Node {
 public:
  VersionsNode(NodeId node_id, EntryId inode, DirectoryNodePtr directory, std::string of_name)
      : Node(node_id, inode, Kind::directory), parent(std::move(directory)), name(std::move(of_name)) {}

  const DirectoryNodePtr parent;
  const std::string name;  // empty: `.versions` itself
};
using VersionsNodePtr = std::shared_ptr<VersionsNode>;

}  // namespace cairn
