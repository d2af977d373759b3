// Requests about attributes, and statfs.
#include <optional>

#include "base/clock.h"
#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"
#include "fs/fuse/request.h"

namespace cairn {

namespace {

std::optional<HandleId> handle_in(const fuse_file_info* info) {
  if (info == nullptr) return std::nullopt;
  return info->fh;
}

void do_getattr(fuse_req_t raw, fuse_ino_t node, fuse_file_info* info) {
  Request request(raw, {"getattr", node});
  request.answer(
      [&](const RequestContext& context) { return request.files().get_attributes(node, handle_in(info), context); },
      [&](const NodeReply& reply) { reply_attributes(raw, reply); });
}

// There are no access times, and the file system sets the change time itself: requests for those change nothing.
SetAttributes wanted_attributes(const struct stat& values, int to_set) {
  SetAttributes wanted;
  if ((to_set & FUSE_SET_ATTR_MODE) != 0) wanted.mode = values.st_mode & 07777;
  if ((to_set & FUSE_SET_ATTR_UID) != 0) wanted.uid = values.st_uid;
  if ((to_set & FUSE_SET_ATTR_GID) != 0) wanted.gid = values.st_gid;
  if ((to_set & FUSE_SET_ATTR_SIZE) != 0) wanted.size_bytes = static_cast<uint64_t>(values.st_size);
  if ((to_set & FUSE_SET_ATTR_MTIME_NOW) != 0) {
    wanted.mtime = system_clock().wall_now();
  } else if ((to_set & FUSE_SET_ATTR_MTIME) != 0) {
    wanted.mtime = from_timespec(values.st_mtim);
  }
  return wanted;
}

void do_setattr(fuse_req_t raw, fuse_ino_t node, struct stat* values, int to_set, fuse_file_info* info) {
  Request request(raw, {"setattr", node});
  request.answer(
      [&](const RequestContext& context) {
        SetAttributes wanted = wanted_attributes(*values, to_set);
        wanted.handle = handle_in(info);
        wanted.thread = static_cast<uint32_t>(request.thread());
        if (wanted.size_bytes) wanted.caller_uid = request.caller().uid;
        if (wanted.handle && wanted.size_bytes) request.users().wrote(*wanted.handle, request.thread());
        return request.files().set_attributes(node, wanted, context);
      },
      [&](const NodeReply& reply) { reply_attributes(raw, reply); });
}

// No count of inodes: a store has no table of them to run out of (0 and 0 is how btrfs says the same).
struct statvfs to_statvfs(const FileSystemStatfs& stats) {
  constexpr unsigned kUnit = 4096;
  struct statvfs result {};
  result.f_bsize = kUnit;
  result.f_frsize = kUnit;
  result.f_blocks = stats.total_bytes / kUnit;
  result.f_bfree = stats.free_bytes / kUnit;
  result.f_bavail = result.f_bfree;
  result.f_namemax = 255;
  return result;
}

void do_statfs(fuse_req_t raw, fuse_ino_t node) {
  Request request(raw, {"statfs", node});
  request.answer([&](const RequestContext& context) { return request.files().statfs(context); },
                 [&](const FileSystemStatfs& stats) {
                   const struct statvfs reply = to_statvfs(stats);
                   fuse_reply_statfs(raw, &reply);
                 });
}

}  // namespace

void add_attribute_operations(fuse_lowlevel_ops& table) {
  table.getattr = do_getattr;
  table.setattr = do_setattr;
  table.statfs = do_statfs;
}

}  // namespace cairn
