// Requests about the bytes of files.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/posix_error.h"
#include "fs/fuse/operations.h"
#include "fs/fuse/passthrough.h"
#include "fs/fuse/reply.h"
#include "fs/fuse/request.h"

namespace cairn {

namespace {

constexpr size_t kMostCopied = 0x7ffff000;  // in one call, as with read(2): the answer has 32 bits

fuse_file_info opened(const fuse_file_info& asked, const OpenReply& reply) {
  fuse_file_info info = asked;
  info.fh = reply.handle;
  info.keep_cache = reply.keep_cache;
  // A descriptor that cannot write has nothing to publish: its close needs no round trip.
  info.noflush = (asked.flags & O_ACCMODE) == O_RDONLY;
  return info;
}

void release(const Request& request, HandleId handle) {
  request.users().released(handle);
  request.files().release(handle);
}

void do_open(fuse_req_t raw, fuse_ino_t node, fuse_file_info* asked) {
  Request request(raw, {"open", node});
  request.answer(
      [&](const RequestContext& context) {
        return request.files().open_file(node, asked->flags, request.caller(), context);
      },
      [&](const OpenReply& reply) {
        const fuse_file_info info = opened(*asked, reply);
        if (!info.noflush) request.users().opened(reply.handle, node, request.thread());
        const int sent = reply.backing == 0 ? fuse_reply_open(raw, &info) : reply_native_open(raw, info, reply.backing);
        if (sent != 0) release(request, reply.handle);
      });
}

void do_create(fuse_req_t raw, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* asked) {
  Request request(raw, {"create", parent, name});
  request.answer(
      [&](const RequestContext& context) {
        return request.files().create(parent, name, mode & 07777, asked->flags, request.caller(), context);
      },
      [&](const std::pair<NodeReply, OpenReply>& reply) {
        const fuse_entry_param entry = to_entry(raw, reply.first);
        const fuse_file_info info = opened(*asked, reply.second);
        if (!info.noflush) request.users().opened(reply.second.handle, reply.first.node, request.thread());
        if (fuse_reply_create(raw, &entry, &info) == 0) return;
        release(request, reply.second.handle);
        request.files().forget(reply.first.node, 1);
      });
}

void do_read(fuse_req_t raw, fuse_ino_t node, size_t size, off_t offset, fuse_file_info* info) {
  Request request(raw, {"read", node}, RequestKind::read);
  const MutableByteView buffer = reply_buffer(size);
  request.answer(
      [&](const RequestContext& context) {
        return request.files().read(info->fh, static_cast<uint64_t>(offset), buffer, context);
      },
      [&](size_t count) { reply_bytes(raw, buffer.first(count)); });
}

// The kernel drops the pages below a direct write when it begins, and where it is asynchronous not again when it ends:
// what a buffered reader has brought in meanwhile would stay for good.
void forget_older_pages(fuse_req_t raw, NodeId node, uint64_t offset, size_t size, const fuse_file_info& info) {
  if ((info.flags & O_DIRECT) == 0 || info.writepage != 0) return;
  if (const auto& forget = endpoint_of(raw).forget_pages) forget(node, offset, size);
}

// What a shared mapping has changed comes from the page cache, with whatever handle the kernel found on the node.
void do_write(fuse_req_t raw, fuse_ino_t node, const char* bytes, size_t size, off_t offset, fuse_file_info* info) {
  Request request(raw, {"write", node});
  request.answer(
      [&](const RequestContext& context) {
        const ByteView view = as_bytes({bytes, size});
        const auto at = static_cast<uint64_t>(offset);
        if (info->writepage != 0) {
          request.users().wrote_back(node);
          return request.files().write_back(node, at, view, context);
        }
        request.users().wrote(info->fh, request.thread());
        return request.files().write(info->fh, at, view, context);
      },
      [&](size_t count) {
        forget_older_pages(raw, node, static_cast<uint64_t>(offset), count, *info);
        fuse_reply_write(raw, count);
      });
}

void do_flush(fuse_req_t raw, fuse_ino_t node, fuse_file_info* info) {
  Request request(raw, {"flush", node}, RequestKind::publish);
  request.answer([&](const RequestContext& context) -> Result<void> {
    if (!request.users().is_in_use_by(info->fh, request.thread())) return {};
    request.users().publishes(node);
    return request.files().flush(info->fh, context);
  });
}

// fdatasync is no cheaper: a version is published whole.
void do_fsync(fuse_req_t raw, fuse_ino_t node, int /*data_only*/, fuse_file_info* info) {
  Request request(raw, {"fsync", node}, RequestKind::publish);
  request.answer([&](const RequestContext& context) {
    request.users().publishes(node);
    return request.files().sync(info->fh, context);
  });
}

void do_release(fuse_req_t raw, fuse_ino_t node, fuse_file_info* info) {
  Request request(raw, {"release", node});
  request.answer([&](const RequestContext&) -> Result<void> {
    release(request, info->fh);
    return {};
  });
}

void do_fallocate(fuse_req_t raw, fuse_ino_t node, int mode, off_t offset, off_t length, fuse_file_info* info) {
  Request request(raw, {"fallocate", node});
  request.answer([&](const RequestContext& context) {
    request.users().wrote(info->fh, request.thread());
    return request.files().allocate(info->fh, mode, static_cast<uint64_t>(offset), static_cast<uint64_t>(length),
                                    context);
  });
}

void do_copy_file_range(fuse_req_t raw, fuse_ino_t /*from*/, off_t from_offset, fuse_file_info* from,
                        fuse_ino_t to_node, off_t to_offset, fuse_file_info* to, size_t length, int flags) {
  Request request(raw, {"copy_file_range", to_node});
  request.answer(
      [&](const RequestContext& context) -> Result<size_t> {
        if (flags != 0) return fail_posix(EINVAL, "copy_file_range flags {:#x}", flags);
        request.users().wrote(to->fh, request.thread());
        return request.files().copy(from->fh, static_cast<uint64_t>(from_offset), to->fh,
                                    static_cast<uint64_t>(to_offset), std::min(length, kMostCopied), context);
      },
      [&](size_t count) { fuse_reply_write(raw, count); });
}

void do_lseek(fuse_req_t raw, fuse_ino_t node, off_t offset, int whence, fuse_file_info* info) {
  Request request(raw, {"lseek", node});
  request.answer(
      [&](const RequestContext& context) {
        return request.files().seek(info->fh, static_cast<uint64_t>(offset), whence, context);
      },
      [&](uint64_t found) { fuse_reply_lseek(raw, static_cast<off_t>(found)); });
}

}  // namespace

void add_file_operations(fuse_lowlevel_ops& table) {
  table.open = do_open;
  table.create = do_create;
  table.read = do_read;
  table.write = do_write;
  table.flush = do_flush;
  table.fsync = do_fsync;
  table.release = do_release;
  table.fallocate = do_fallocate;
  table.copy_file_range = do_copy_file_range;
  table.lseek = do_lseek;
}

}  // namespace cairn
