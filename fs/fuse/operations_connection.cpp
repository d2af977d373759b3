// The terms of the mount: INIT and DESTROY.
#include "fs/fuse/endpoint.h"
#include "fs/fuse/operations.h"

namespace cairn {

namespace {

constexpr uint32_t kMaxTransferBytes = 1U << 20;  // the most that one READ or WRITE carries

// Requests in flight that no process waits for: read-ahead, releases. Past the limit the kernel sends none, so that
// reads of what is cached would wait behind as many of a store that hangs: it is that of the request loop's threads.
// From `congestion` on the kernel starts fewer of its own.
constexpr uint32_t kMaxBackground = 4096;
constexpr uint32_t kCongestion = 3072;

// What we ask of the kernel. Left out deliberately:
//   WRITEBACK_CACHE     close() must know what it publishes; and it would keep sizes and times of its own
//   AUTO_INVAL_DATA     a node is one published version, and where it moves on we say which pages go
//   HANDLE_KILLPRIV     the kernel takes away set-uid bits itself, by a SETATTR
//   DONT_MASK           the kernel applies the umask
//   SPLICE_*            the bytes are in memory of ours, one copy away; pipes only add calls
//   POSIX_ACL, EXPORT_SUPPORT, IOCTL_DIR: no ACLs, no knfsd, no ioctls
constexpr unsigned kWanted = FUSE_CAP_ASYNC_READ              // read-ahead of one file as many requests at once
                             | FUSE_CAP_ASYNC_DIO             // O_DIRECT likewise
                             | FUSE_CAP_PARALLEL_DIROPS       // lookups and listings of one directory at once
                             | FUSE_CAP_ATOMIC_O_TRUNC        // O_TRUNC arrives with the open: one draft, not two
                             | FUSE_CAP_READDIRPLUS           // attributes with the listing,
                             | FUSE_CAP_READDIRPLUS_AUTO      //   where the kernel sees that they get used
                             | FUSE_CAP_CACHE_SYMLINKS        // a link's target never changes
                             | FUSE_CAP_EXPLICIT_INVAL_DATA;  // a grown file keeps the pages it had

void do_init(void* userdata, fuse_conn_info* connection) {
  auto* endpoint = static_cast<Endpoint*>(userdata);
  connection->want = kWanted & connection->capable;
  connection->max_write = kMaxTransferBytes;
  connection->max_readahead = endpoint->options.max_read_ahead_bytes;
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kCongestion;
  connection->time_gran = 1;
  negotiate_passthrough(*connection, endpoint->passthrough);
}

void do_destroy(void* userdata) {
  const auto* endpoint = static_cast<const Endpoint*>(userdata);
  if (endpoint->destroyed) endpoint->destroyed();
}

}  // namespace

void add_connection_operations(fuse_lowlevel_ops& table) {
  table.init = do_init;
  table.destroy = do_destroy;
}

fuse_lowlevel_ops all_operations() {
  fuse_lowlevel_ops table{};
  add_connection_operations(table);
  add_name_operations(table);
  add_attribute_operations(table);
  add_xattr_operations(table);
  add_file_operations(table);
  add_directory_operations(table);
  return table;
}

}  // namespace cairn
