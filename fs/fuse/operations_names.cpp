// Requests about names in directories.
#include <cerrno>
#include <cstdio>

#include "base/posix_error.h"
#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"
#include "fs/fuse/request.h"

namespace cairn {

namespace {

void do_lookup(fuse_req_t raw, fuse_ino_t parent, const char* name) {
  Request request(raw, {"lookup", parent, name});
  request.answer([&](const RequestContext& context) { return request.files().lookup(parent, name, context); },
                 [&](const NodeReply& reply) { reply_entry(raw, request.files(), reply); });
}

void do_forget(fuse_req_t raw, fuse_ino_t node, uint64_t lookups) {
  endpoint_of(raw).files.forget(node, lookups);
  fuse_reply_none(raw);
}

void do_forget_multi(fuse_req_t raw, size_t count, fuse_forget_data* forgets) {
  FileSystem& files = endpoint_of(raw).files;
  for (size_t i = 0; i < count; ++i) files.forget(forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(raw);
}

void do_mkdir(fuse_req_t raw, fuse_ino_t parent, const char* name, mode_t mode) {
  Request request(raw, {"mkdir", parent, name});
  request.answer(
      [&](const RequestContext& context) {
        return request.files().make_directory(parent, name, mode & 07777, request.caller(), context);
      },
      [&](const NodeReply& reply) { reply_entry(raw, request.files(), reply); });
}

Result<Kind> kind_to_make(mode_t mode) {
  switch (mode & S_IFMT) {
    case 0:
    case S_IFREG: return Kind::file;
    case S_IFIFO: return Kind::fifo;
    case S_IFSOCK: return Kind::socket;
    default: return fail_posix(EPERM, "device nodes are not kept");
  }
}

void do_mknod(fuse_req_t raw, fuse_ino_t parent, const char* name, mode_t mode, dev_t /*device*/) {
  Request request(raw, {"mknod", parent, name});
  request.answer(
      [&](const RequestContext& context) -> Result<NodeReply> {
        const Result<Kind> kind = kind_to_make(mode);
        if (!kind) return fail(kind.error());
        return request.files().make_node(parent, name, *kind, mode & 07777, request.caller(), context);
      },
      [&](const NodeReply& reply) { reply_entry(raw, request.files(), reply); });
}

void do_symlink(fuse_req_t raw, const char* target, fuse_ino_t parent, const char* name) {
  Request request(raw, {"symlink", parent, name});
  request.answer(
      [&](const RequestContext& context) {
        return request.files().make_symlink(parent, name, target, request.caller(), context);
      },
      [&](const NodeReply& reply) { reply_entry(raw, request.files(), reply); });
}

void do_readlink(fuse_req_t raw, fuse_ino_t node) {
  Request request(raw, {"readlink", node});
  request.answer([&](const RequestContext& context) { return request.files().read_symlink(node, context); },
                 [&](const std::string& target) { fuse_reply_readlink(raw, target.c_str()); });
}

// Announced: docs/semantics.md, "Hard links".
void do_link(fuse_req_t raw, fuse_ino_t /*node*/, fuse_ino_t /*parent*/, const char* /*name*/) {
  fuse_reply_err(raw, EPERM);
}

void do_unlink(fuse_req_t raw, fuse_ino_t parent, const char* name) {
  Request request(raw, {"unlink", parent, name});
  request.answer([&](const RequestContext& context) { return request.files().remove_file(parent, name, context); });
}

void do_rmdir(fuse_req_t raw, fuse_ino_t parent, const char* name) {
  Request request(raw, {"rmdir", parent, name});
  request.answer(
      [&](const RequestContext& context) { return request.files().remove_directory(parent, name, context); });
}

Result<RenameMode> rename_mode(unsigned flags) {
  switch (flags) {
    case 0: return RenameMode::replace;
    case RENAME_NOREPLACE: return RenameMode::no_replace;
    case RENAME_EXCHANGE: return RenameMode::exchange;
    default: return fail(Errc::invalid_argument, "rename flags {:#x}", flags);
  }
}

void do_rename(fuse_req_t raw, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
               unsigned flags) {
  Request request(raw, {"rename", parent, name});
  request.answer([&](const RequestContext& context) -> Result<void> {
    const Result<RenameMode> mode = rename_mode(flags);
    if (!mode) return fail(mode.error());
    return request.files().rename(parent, name, new_parent, new_name, *mode, context);
  });
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& table) {
  table.lookup = do_lookup;
  table.forget = do_forget;
  table.forget_multi = do_forget_multi;
  table.mkdir = do_mkdir;
  table.mknod = do_mknod;
  table.symlink = do_symlink;
  table.readlink = do_readlink;
  table.link = do_link;
  table.unlink = do_unlink;
  table.rmdir = do_rmdir;
  table.rename = do_rename;
}

}  // namespace cairn
