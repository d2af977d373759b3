// All nodes, by their ids and by the entries they stand for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "fs/node.h"

namespace cairn {

// A file node's changing parts, as of one moment.
struct FileView {
  NodePlace place;
  std::optional<NodePlace> perhaps;  // FileNode::perhaps_
  bool unlinked = false;
  EntryPtr entry;
  VersionPtr version;
  std::shared_ptr<FileBytes> bytes;  // nullptr: neither open nor unpublished
  bool native = false;               // open so
};

// How the reads of an open file are answered: by the kernel out of its page cache, which asks us for what is not there;
// or by the kernel alone, from a local file. All opens of a node are of one kind at any time: the kernel fails others
// (docs/decisions/0015-passthrough.md).
enum class OpenMode { undecided, cached, written, native };

// Two versions of which nobody can tell the bytes apart; nullptr is the empty file.
bool same_bytes(const VersionPtr& a, const VersionPtr& b);

// The one class that guards the changing parts of nodes. Its mutex is held for lookups in maps and for FileBytes'
// getters, never over I/O: after it only FileBytes' own mutex may be taken, and the draft's after that.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: a node stays as long as somebody holds it (hold/release: one count for lookups, handles, children and
//   kept drafts); a NodePtr stays valid even after that.
// The hold_… methods have taken one hold for the caller, who tells the kernel of the node or gives it back.
class NodeTable {
 public:
  explicit NodeTable(std::shared_ptr<Directory> root);

  [[nodiscard]] DirectoryNodePtr root() const { return root_; }
  // ESTALE if there is no such node.
  [[nodiscard]] Result<NodePtr> find(NodeId id) const;

  DirectoryNodePtr hold_directory(const std::shared_ptr<Directory>& directory, const NodePlace& place);
  // The node that shows the bytes of `entry`'s current version, or that has newer bytes from this host; else a new one.
  // Before others one that is written; never, but for that, one that was retired.
  FileNodePtr hold_file(const NodePlace& place, const EntryPtr& entry);
  // For look-ups, which read an entry first and come here with it later. nullptr if a name was changed since changes()
  // was `seen`: the entry may stand elsewhere by now, so look again.
  [[nodiscard]] uint64_t changes() const;
  DirectoryNodePtr hold_directory_if(uint64_t seen, const std::shared_ptr<Directory>& directory,
                                     const NodePlace& place);
  FileNodePtr hold_file_if(uint64_t seen, const NodePlace& place, const EntryPtr& entry);
  // `.versions/NAME/<n>`: `entry` is made up, with that one version; `of` is FileNode::version_of. These nodes and
  // those below are found by where they are: their inode numbers are hashes, for which somebody may look for another.
  FileNodePtr hold_old_version(const NodePlace& of, const EntryPtr& entry);
  VersionsNodePtr hold_versions(const DirectoryNodePtr& directory, EntryId ino, const std::string& name);
  void hold(Node& node);
  void release(NodeId id, uint64_t holds = 1);

  [[nodiscard]] FileView view(const FileNode& node) const;
  // Remembers what the store says of the node now.
  void set_entry(FileNode& node, EntryPtr entry);
  // Another host renamed the file within its directory.
  void set_name(FileNode& node, const std::string& name);
  // The node shows `version` from now on: this host has published it.
  void advance(FileNode& node, VersionPtr version);

  // The bytes of a node that is being opened, made by `make` if it was not open; close() gives them back. Who only
  // reads is undecided until decide(). nullptr: it is open natively, and nobody can have it `cached` or `written`.
  using MakeBytes = std::function<std::shared_ptr<FileBytes>(const VersionPtr& version)>;
  std::shared_ptr<FileBytes> open(FileNode& node, OpenMode mode, const MakeBytes& make);
  // Of an undecided open: native with what is returned, or cached. `offered`, if there is one, has the bytes of
  // `version`; it is taken if nobody has the node open cached, it still shows that version, and `is_wanted()`, which is
  // asked under the mutex: not after somebody has said no and then called retire_native().
  std::shared_ptr<const Backing> decide(FileNode& node, const VersionPtr& version,
                                        std::shared_ptr<const Backing> offered, const std::function<bool()>& is_wanted);
  // `mode`: as it was opened, or decided.
  void close(FileNode& node, OpenMode mode);

  // How a node is open cannot change while somebody has it. Look-ups find none of the file's that are open natively
  // from now on;
  [[nodiscard]] bool is_native(EntryId file) const;
  void retire_native(EntryId file);
  // nor this one, if it is open cached by readers only; false: it is not.
  bool retire_only_read(FileNode& node);
  [[nodiscard]] bool is_only_read(const FileNode& node) const;
  // Another node of the same file is the one that `entry`'s look-ups give: it is written, or to be written.
  [[nodiscard]] bool is_written_elsewhere(const FileNode& node, const EntryPtr& entry) const;

  // The number of opens so far of a node that nobody has open and whose bytes nobody reads any more; nullopt: somebody.
  [[nodiscard]] std::optional<uint64_t> idle_since(const FileNode& node) const;
  // The node shows `version` from now on, unless it has been opened since.
  bool replace_idle(FileNode& node, VersionPtr version, uint64_t idle_since);
  // Brackets finding out whether `version` is the node's with bytes appended, by one thread at a time and once for a
  // version; `known` nullptr: it could not be found out. Nobody opens it natively in between.
  bool begin_growth(FileNode& node, const VersionPtr& version);
  void end_growth(FileNode& node, VersionPtr known);

  // What this host did to names. The nodes concerned are returned.
  std::vector<FileNodePtr> moved(EntryId entry, const NodePlace& place);
  std::vector<FileNodePtr> unlinked(EntryId entry);
  // What this host tried to do: the entry is where it was last seen, or at `place`.
  void perhaps_moved(EntryId entry, const NodePlace& place);

  // The directory above; the root's is itself. Unknown: nullptr.
  [[nodiscard]] DirectoryNodePtr parent(const DirectoryNode& node) const;
  // Where it was last seen; no parent: the root, or not known.
  [[nodiscard]] NodePlace place(const DirectoryNode& node) const;
  // `ancestor` is `node` or lies above it, as far as this host knows.
  [[nodiscard]] bool is_within(const DirectoryNode& node, EntryId ancestor) const;
  // "a/b/c" below the root.
  [[nodiscard]] std::string path(const NodePlace& place) const;

  // The node of `entry` that has bytes of this host which are not published; nullptr if there is none.
  [[nodiscard]] FileNodePtr find_unpublished(EntryId entry) const;
  [[nodiscard]] std::vector<FileNodePtr> with_unpublished_bytes() const;
  struct Counts {
    uint64_t nodes = 0, drafts = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  static bool is_unpublished(const FileNode& node);
  static bool shows(const FileNode& node, const EntryPtr& entry);
  static bool is_only_read_locked(const FileNode& node);
  DirectoryNodePtr hold_directory_locked(const std::shared_ptr<Directory>& directory, const NodePlace& place,
                                         std::vector<NodePtr>& gone) CAIRN_REQUIRES(mutex_);
  FileNodePtr hold_file_locked(const NodePlace& place, const EntryPtr& entry) CAIRN_REQUIRES(mutex_);
  template <class T, class Matches>
  std::shared_ptr<T> find_locked(EntryId ino, const Matches& matches) const CAIRN_REQUIRES(mutex_);
  template <class T>
  std::shared_ptr<T> add_locked(std::shared_ptr<T> node) CAIRN_REQUIRES(mutex_);
  void set_parent_locked(DirectoryNode& node, const NodePlace& place, std::vector<NodePtr>& gone)
      CAIRN_REQUIRES(mutex_);
  void cut_ring_locked(const DirectoryNode& node, const DirectoryNodePtr& parent, std::vector<NodePtr>& gone)
      CAIRN_REQUIRES(mutex_);
  void release_locked(NodePtr node, uint64_t holds, std::vector<NodePtr>& gone) CAIRN_REQUIRES(mutex_);

  mutable Mutex mutex_;
  NodeId next_id_ CAIRN_GUARDED_BY(mutex_) = kRootNode;
  uint64_t changes_ CAIRN_GUARDED_BY(mutex_) = 0;  // calls of moved() and unlinked()
  std::unordered_map<NodeId, NodePtr> nodes_ CAIRN_GUARDED_BY(mutex_);
  std::unordered_multimap<EntryId, NodePtr> by_entry_ CAIRN_GUARDED_BY(mutex_);
  const DirectoryNodePtr root_;
};

}  // namespace cairn
