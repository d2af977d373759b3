// A filesystem over a store's Namespace: which part answers each call, and in which order locks are taken.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "fs/entry_locks.h"
#include "fs/file_system.h"
#include "fs/file_system_control.h"
#include "fs/handle_table.h"
#include "fs/living_files.h"
#include "fs/node_table.h"
#include "fs/periodic_publisher.h"
#include "fs/publisher.h"
#include "fs/reach.h"
#include "fs/refusals.h"
#include "fs/shares.h"
#include "fs/sibling_shards.h"
#include "store/directories/entry_edits.h"

namespace cairn {

// The methods live by theme in lifecycle.cpp, lookups.cpp, names.cpp, files.cpp, copying.cpp, native.cpp,
// following.cpp, attributes.cpp and listings.cpp.
//
// Locks, in the order in which a thread may take them (docs/locking.md):
//   1. a file's publication turn (Publisher)         held while it seals and commits; interruptible
//   2. entry locks (EntryLocks), smaller id first    held while a rename, unlink or publication commits; interruptible
//   3. Publisher's and a Listing's mutex             no remote call within
//   4. NodeTable's mutex                             no I/O within
//   5. FileBytes' append mutex, then its mutex       local staging only
// Directory's, Draft's and FileReader's own locks come after all of these; those classes never call back.
class StoreFileSystem final : public FileSystem, public FileSystemControl {
 public:
  // Loads the root directory and re-tries drafts that an earlier process kept. Borrows all three.
  static Result<std::unique_ptr<StoreFileSystem>> open(StoreEnvironment& environment, ChunkReader& reader,
                                                       ChunkWriter& writer, const RequestContext& context,
                                                       PublishOpenRules publish_open = {});
  StoreFileSystem(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                  std::unique_ptr<Namespace> names, const std::shared_ptr<Directory>& root,
                  PublishOpenRules publish_open);
  ~StoreFileSystem() override;

  // Takes over what earlier processes left. What cannot be placed now is tried again in the background.
  Result<void> recover(const RequestContext& context);

  Result<NodeReply> lookup(NodeId parent, const std::string& name, const RequestContext& context) override;
  void forget(NodeId node, uint64_t lookups) override;
  Result<NodeReply> get_attributes(NodeId node, std::optional<HandleId> handle, const RequestContext& context) override;
  Result<NodeReply> set_attributes(NodeId node, const SetAttributes& wanted, const RequestContext& context) override;

  Result<NodeReply> make_directory(NodeId parent, const std::string& name, uint32_t mode, const Caller& caller,
                                   const RequestContext& context) override;
  Result<NodeReply> make_node(NodeId parent, const std::string& name, Kind kind, uint32_t mode, const Caller& caller,
                              const RequestContext& context) override;
  Result<NodeReply> make_symlink(NodeId parent, const std::string& name, const std::string& target,
                                 const Caller& caller, const RequestContext& context) override;
  Result<std::string> read_symlink(NodeId node, const RequestContext& context) override;
  Result<void> remove_file(NodeId parent, const std::string& name, const RequestContext& context) override;
  Result<void> remove_directory(NodeId parent, const std::string& name, const RequestContext& context) override;
  Result<void> rename(NodeId parent, const std::string& name, NodeId new_parent, const std::string& new_name,
                      RenameMode mode, const RequestContext& context) override;

  Result<OpenReply> open_file(NodeId node, int flags, const Caller& caller, const RequestContext& context) override;
  Result<std::pair<NodeReply, OpenReply>> create(NodeId parent, const std::string& name, uint32_t mode, int flags,
                                                 const Caller& caller, const RequestContext& context) override;
  Result<size_t> read(HandleId handle, uint64_t offset, MutableByteView out, const RequestContext& context) override;
  Result<size_t> write(HandleId handle, uint64_t offset, ByteView bytes, const RequestContext& context) override;
  Result<size_t> write_back(NodeId node, uint64_t offset, ByteView bytes, const RequestContext& context) override;
  Result<void> allocate(HandleId handle, int mode, uint64_t offset, uint64_t length,
                        const RequestContext& context) override;
  Result<size_t> copy(HandleId from, uint64_t from_offset, HandleId to, uint64_t to_offset, uint64_t length,
                      const RequestContext& context) override;
  Result<uint64_t> seek(HandleId handle, uint64_t offset, int whence, const RequestContext& context) override;
  Result<void> flush(HandleId handle, const RequestContext& context) override;
  Result<void> sync(HandleId handle, const RequestContext& context) override;
  void release(HandleId handle) override;

  Result<HandleId> open_directory(NodeId node, const Caller& caller, const RequestContext& context) override;
  Result<void> read_directory(HandleId handle, uint64_t offset, bool plus, const Emit& emit,
                              const RequestContext& context) override;
  Result<void> sync_directory(NodeId node, const RequestContext& context) override;
  void release_directory(HandleId handle) override;

  Result<std::string> get_xattr(NodeId node, const std::string& name, const RequestContext& context) override;
  Result<std::vector<std::string>> list_xattrs(NodeId node, const RequestContext& context) override;
  Result<void> set_xattr(NodeId node, const std::string& name, const std::string& value, int flags,
                         const RequestContext& context) override;
  Result<void> remove_xattr(NodeId node, const std::string& name, const RequestContext& context) override;

  Result<FileSystemStatfs> statfs(const RequestContext& context) override;
  void set_page_sink(NodePageSink sink) override;
  void set_change_sink(NodeChangeSink sink) override;
  void set_backings(Result<std::shared_ptr<Backings>> backings) override;
  void set_space_source(SpaceSource source) override;
  Result<Entry> entry_at(const std::string& path, const RequestContext& context) override;
  Result<void> sync_all(const RequestContext& context) override;
  Result<void> shut_down(const RequestContext& context) override;
  [[nodiscard]] FileSystemStats stats() const override;
  [[nodiscard]] std::vector<UnpublishedFile> unpublished() const override;
  Result<void> publish_kept(uint64_t number, const RequestContext& context) override;
  Result<void> discard_kept(uint64_t number) override;
  Result<void> export_kept(uint64_t number, const std::string& path, const RequestContext& context) override;

 private:
  // What an open file or directory takes of what all users share.
  struct OpenShares {
    Shares::Lease open{};
    Shares::Lease writer{};  // of files that may be written
    uint32_t user = 0;
  };
  struct OpenFile {
    OpenShares shares;
    FileNodePtr node;
    std::shared_ptr<FileBytes> bytes;
    OpenMode mode = OpenMode::undecided;
    bool writable = false;
    bool append = false;
    bool in_place = false;   // what it changes was there before
    bool made_name = false;  // with commit_async: its name is new, and the store may not have heard of it
    uint64_t session = 0;    // Version::session of all that this open file publishes
  };
  // What a directory lists. Its names are shared with everybody who lists it as it is.
  struct Listed {
    std::vector<DirectoryEntry> first{};              // "." and "..", and the names that are made up here
    std::shared_ptr<const Directory::Names> names{};  // nullptr: no more
    [[nodiscard]] uint64_t size() const { return first.size() + (names ? names->size() : 0); }
    [[nodiscard]] DirectoryEntry at(uint64_t index) const;
  };
  struct Listing {
    Listing(NodePtr of, Shares::Lease one) : share(std::move(one)), node(std::move(of)) {}
    const Shares::Lease share;
    const NodePtr node;
    Mutex mutex;
    Listed listed CAIRN_GUARDED_BY(mutex);
    bool started CAIRN_GUARDED_BY(mutex) = false;  // `listed` is there
  };
  // One end of a change of names, checked and up to date.
  struct Target {
    NodePlace place;
    EntryPtr entry;  // under that name; nullptr: the name is free
  };

  // lookups.cpp: from nodes to what the store says of them.
  [[nodiscard]] Result<void> check_writable() const;
  [[nodiscard]] Result<void> check_writable(const Node& node) const;
  [[nodiscard]] Result<DirectoryNodePtr> directory_node(NodeId id) const;
  [[nodiscard]] Result<FileNodePtr> file_node(NodeId id) const;
  Result<void> freshen(Directory& directory, const RequestContext& context) const;
  [[nodiscard]] std::chrono::nanoseconds valid_for(const Directory& directory) const;
  Result<FileView> fresh_view(FileNode& node, const RequestContext& context);
  Result<NodeReply> lookup_version(const VersionsNode& versions, const std::string& name,
                                   const RequestContext& context);
  Result<NodeReply> reply_with_name(const NodePlace& place, const RequestContext& context);
  Result<NodeReply> reply_with_directory(const NodePlace& place, const RequestContext& context);
  std::optional<NodeReply> reply_for_listing(const DirectoryNodePtr& parent, const DirectoryEntry& listed);
  Result<NodeReply> describe(const NodePtr& node, const RequestContext& context);
  [[nodiscard]] NodeReply describe_directory(const DirectoryNode& node) const;
  [[nodiscard]] NodeReply describe_file(const FileNode& node) const;
  [[nodiscard]] NodeReply describe_versions(const VersionsNode& node) const;

  // names.cpp: what changes directories.
  Result<Target> target(NodeId parent, const std::string& name, const RequestContext& context) const;
  [[nodiscard]] Entry new_entry(const Directory& parent, Kind kind, uint32_t mode, const Caller& caller) const;
  Result<void> free_in_the_store(const Target& where, const RequestContext& context);
  Result<NodeReply> commit_new_entry(const Target& where, const Entry& entry, const RequestContext& context);
  [[nodiscard]] Result<void> check_place(DirectoryNodePtr node, uint64_t attempt, const RequestContext& context) const;
  [[nodiscard]] Result<void> check_ancestry(const Target& from, const Target& to, RenameMode mode) const;
  Result<void> publish_before_replacing(const Entry& source, const RequestContext& context);
  Result<void> rename_checked(const Target& from, const Target& to, RenameMode mode, const RequestContext& context);
  void touch_renamed(const Entry& entry, const RequestContext& context);
  void note_moved(const Entry& entry, const NodePlace& place);
  void note_replaced(const Entry& entry);
  void note_unlinked(const Entry& entry);

  // files.cpp
  Result<void> check_current(FileNode& node, OpenMode mode, uint32_t thread, const RequestContext& context);
  std::shared_ptr<FileBytes> open_bytes(FileNode& node, OpenMode mode);
  void half_read(FileNode& node, const std::shared_ptr<FileReader>& reader);
  [[nodiscard]] PageSink page_sink_for(NodeId node) const;
  Result<OpenShares> take_shares(int flags, const Caller& caller);
  Result<OpenReply> open_node(const FileNodePtr& node, int flags, uint64_t session, OpenShares shares, uint32_t thread,
                              const RequestContext& context);
  Result<void> prepare(OpenFile& file, int flags, const RequestContext& context);
  void changed(const OpenFile& file);
  void close(OpenFile& file);
  Result<void> make_file(const Target& where, const Entry& entry, uint64_t session, bool exclusive,
                         const RequestContext& context);
  Result<void> draft_new_name(OpenFile& file, const RequestContext& context);
  Result<void> drain_order(const RequestContext& context);

  // native.cpp: which opens the kernel serves by itself.
  [[nodiscard]] bool may_be_native(const FileNode& node) const;
  bool retire_if_held_back(FileNode& node);
  void give_to_writers(EntryId file);
  void make_way(const FileNode& node);
  Result<void> refuse_writer(const FileNode& node, uint32_t thread);
  std::shared_ptr<const Backing> decide_mode(OpenFile& file);

  // following.cpp
  void tell_change(NodeId node, uint64_t from) const;
  void catch_up(FileNode& node, const RequestContext& context);
  void replace_bytes(FileNode& node, const VersionPtr& version);
  void grow(FileNode& node, const FileView& view, const RequestContext& context);

  // attributes.cpp
  Result<void> apply(const NodePtr& node, SetAttributes wanted, const RequestContext& context);
  Result<void> set_size(const NodePtr& node, const SetAttributes& wanted, const RequestContext& context);
  Result<void> truncate_unopened(const FileNodePtr& node, const SetAttributes& wanted, const RequestContext& context);
  Result<void> resize(FileNode& node, FileBytes& bytes, uint64_t size_bytes, const RequestContext& context);
  Result<void> change(Node& node, const AttributeChange& change, const RequestContext& context);
  Result<void> commit_change(const std::shared_ptr<Directory>& directory, Mutation mutation, bool at_once,
                             const RequestContext& context);
  Result<void> change_file(FileNode& node, const AttributeChange& change, const RequestContext& context);
  Result<Attributes> attributes_of(Node& node, const RequestContext& context);
  Result<void> change_xattrs(NodeId id, const std::string& name, const AttributeChange& edit,
                             const RequestContext& context);

  // listings.cpp
  [[nodiscard]] Result<std::vector<DirectoryEntry>> list_versions_node(const VersionsNode& node) const;
  [[nodiscard]] Listed list_directory(const DirectoryNode& node) const;
  Result<void> freshen_listed(const Node& node, const RequestContext& context) const;
  [[nodiscard]] Result<Listed> entries_of(const Node& node) const;
  // Before anything is read: lists what this host knows by now. The store was asked by opendir(3), and is asked again
  // when offset 0 is read again, which is what rewinddir(3) does.
  Result<void> rewind(Listing& listing, uint64_t offset, const RequestContext& context) const;

  StoreEnvironment& environment_;
  const ByteSources sources_;
  const std::unique_ptr<Namespace> names_;
  NodePageSink page_sink_;
  NodeChangeSink change_sink_;
  SpaceSource space_source_;
  std::shared_ptr<Backings> backings_;               // nullptr: there is none,
  std::string no_backings_ = NativeReads{}.why_not;  // because of that
  std::atomic<uint64_t> native_opens_{0};
  LivingFiles living_;
  Refusals refusals_;
  NodeTable nodes_;
  EntryLocks entries_;
  Shares open_shares_;
  Shares writer_shares_;
  HandleTable<OpenFile> files_;
  HandleTable<Listing> listings_;
  mutable Reach reach_;  // what freshen() has met
  std::atomic<uint64_t> read_bytes_{0};
  std::atomic<uint64_t> written_bytes_{0};
  Publisher publisher_;         // its thread uses all of the above
  PeriodicPublisher periodic_;  // so does its own
  SiblingShards siblings_;      // last: readers call it, and its thread uses what they do
};

}  // namespace cairn
