// Files and directories as POSIX has them, over one store, with no kernel in sight: the FUSE shell translates requests
// into these calls one to one, and so does the model test.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/request_context.h"
#include "fs/node_id.h"
#include "store/directories/namespace.h"

namespace cairn {

struct NodeAttributes {
  EntryId ino = 0;
  Kind kind = Kind::file;
  uint32_t mode = 0;  // 07777
  uint32_t nlink = 1;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t size_bytes = 0;
  uint64_t blocks_512 = 0;
  Nanos mtime = 0;
  Nanos ctime = 0;
};

// `valid_for`: how long a caller may believe the answer without asking again.
struct NodeReply {
  NodeId node = 0;
  NodeAttributes attributes;
  std::chrono::nanoseconds valid_for{0};
};

struct OpenReply {
  HandleId handle = 0;
  bool keep_cache = true;  // pages that were read before are still this file's
  int32_t backing = 0;     // not 0: the kernel reads that by itself, and asks for no byte (Backings)
};

// The user of the program that asks: new entries are theirs.
struct Caller {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t thread = 0;  // its number as the daemon sees it; 0: in a namespace that the daemon cannot see into
};

struct SetAttributes {
  std::optional<uint32_t> mode{}, uid{}, gid{};
  std::optional<uint64_t> size_bytes{};
  std::optional<Nanos> mtime{};
  std::optional<HandleId> handle{};  // ftruncate: the open file it came through
  uint32_t thread = 0;               // Caller::thread
  uint32_t caller_uid = 0;           // Caller::uid
};

struct DirectoryEntry {
  std::string name;
  EntryId ino = 0;
  Kind kind = Kind::file;
};

struct FileSystemStatfs {
  uint64_t total_bytes = 0, free_bytes = 0;
};

// Every failure carries what POSIX wants in Error::posix or maps through to_errno() (fs/errno.h). Names are one path
// component: more than 255 bytes is ENAMETOOLONG, anything that is not UTF-8 is EILSEQ.
//
// Thread-safety: all methods may be called from any thread at once; see docs/locking.md.
// Ownership: a node lives until forget() has given back every lookup and the last handle is released.
// Durability: docs/semantics.md, "Durability".
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Every reply with a node counts one lookup of it.
  virtual Result<NodeReply> lookup(NodeId parent, const std::string& name, const RequestContext& context) = 0;
  virtual void forget(NodeId node, uint64_t lookups) = 0;
  virtual Result<NodeReply> get_attributes(NodeId node, std::optional<HandleId> handle,
                                           const RequestContext& context) = 0;
  virtual Result<NodeReply> set_attributes(NodeId node, const SetAttributes& wanted, const RequestContext& context) = 0;

  virtual Result<NodeReply> make_directory(NodeId parent, const std::string& name, uint32_t mode, const Caller& caller,
                                           const RequestContext& context) = 0;
  // Files (empty), fifos and sockets; anything else is EPERM.
  virtual Result<NodeReply> make_node(NodeId parent, const std::string& name, Kind kind, uint32_t mode,
                                      const Caller& caller, const RequestContext& context) = 0;
  virtual Result<NodeReply> make_symlink(NodeId parent, const std::string& name, const std::string& target,
                                         const Caller& caller, const RequestContext& context) = 0;
  virtual Result<std::string> read_symlink(NodeId node, const RequestContext& context) = 0;
  virtual Result<void> remove_file(NodeId parent, const std::string& name, const RequestContext& context) = 0;
  virtual Result<void> remove_directory(NodeId parent, const std::string& name, const RequestContext& context) = 0;
  virtual Result<void> rename(NodeId parent, const std::string& name, NodeId new_parent, const std::string& new_name,
                              RenameMode mode, const RequestContext& context) = 0;

  // `flags` as open(2)'s. ESTALE if another host has published a newer version than the node stands for: the kernel
  // then looks the name up again. It does so once, so nobody gets ESTALE twice: whoever insists gets what the node has;
  // ETXTBSY, to write what others read natively.
  virtual Result<OpenReply> open_file(NodeId node, int flags, const Caller& caller, const RequestContext& context) = 0;
  // With O_EXCL: EEXIST decided by the store, for all hosts. Without, and the name taken: opens what is there, or
  // ESTALE as above. The reply has no backing.
  virtual Result<std::pair<NodeReply, OpenReply>> create(NodeId parent, const std::string& name, uint32_t mode,
                                                         int flags, const Caller& caller,
                                                         const RequestContext& context) = 0;
  virtual Result<size_t> read(HandleId handle, uint64_t offset, MutableByteView out, const RequestContext& context) = 0;
  // O_APPEND handles write at the end, whatever `offset` says.
  virtual Result<size_t> write(HandleId handle, uint64_t offset, ByteView bytes, const RequestContext& context) = 0;
  // A write of the page cache (a shared mapping), which belongs to the node and to no handle.
  virtual Result<size_t> write_back(NodeId node, uint64_t offset, ByteView bytes, const RequestContext& context) = 0;
  // fallocate(2) with its mode flags.
  virtual Result<void> allocate(HandleId handle, int mode, uint64_t offset, uint64_t length,
                                const RequestContext& context) = 0;
  // copy_file_range(2): up to `length` bytes, fewer at the end of `from` or where it is enough for one call.
  virtual Result<size_t> copy(HandleId from, uint64_t from_offset, HandleId to, uint64_t to_offset, uint64_t length,
                              const RequestContext& context) = 0;
  // SEEK_DATA and SEEK_HOLE.
  virtual Result<uint64_t> seek(HandleId handle, uint64_t offset, int whence, const RequestContext& context) = 0;
  // close(2) of one descriptor: publishes what is unpublished.
  virtual Result<void> flush(HandleId handle, const RequestContext& context) = 0;
  // fsync(2) and fdatasync(2): publishes too.
  virtual Result<void> sync(HandleId handle, const RequestContext& context) = 0;
  // The last descriptor and mapping are gone. Publishes what a mapping left after the last flush.
  virtual void release(HandleId handle) = 0;

  virtual Result<HandleId> open_directory(NodeId node, const Caller& caller, const RequestContext& context) = 0;
  // Entries from `offset` on, "." and ".." first, of the listing that open_directory took. `plus` also looks each up
  // (directories excepted), which counts a lookup for each entry that `emit` takes; emit answers false when full.
  using Emit = std::function<bool(const DirectoryEntry& entry, const std::optional<NodeReply>& reply, uint64_t next)>;
  virtual Result<void> read_directory(HandleId handle, uint64_t offset, bool plus, const Emit& emit,
                                      const RequestContext& context) = 0;
  virtual Result<void> sync_directory(NodeId node, const RequestContext& context) = 0;
  virtual void release_directory(HandleId handle) = 0;

  // user.* and, for what cp -a and rsync -X bring, any other namespace but system.* and security.capability.
  virtual Result<std::string> get_xattr(NodeId node, const std::string& name, const RequestContext& context) = 0;
  virtual Result<std::vector<std::string>> list_xattrs(NodeId node, const RequestContext& context) = 0;
  // `flags`: 0, XATTR_CREATE or XATTR_REPLACE.
  virtual Result<void> set_xattr(NodeId node, const std::string& name, const std::string& value, int flags,
                                 const RequestContext& context) = 0;
  virtual Result<void> remove_xattr(NodeId node, const std::string& name, const RequestContext& context) = 0;

  virtual Result<FileSystemStatfs> statfs(const RequestContext& context) = 0;
};

}  // namespace cairn
