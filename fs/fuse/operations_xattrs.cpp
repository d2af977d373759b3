// Requests about extended attributes.
#include <cerrno>
#include <string>
#include <vector>

#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"
#include "fs/fuse/request.h"

namespace cairn {

namespace {

// A size of 0 asks how much there is; a size too small is ERANGE.
void reply_sized(fuse_req_t raw, std::string_view bytes, size_t size) {
  if (size == 0) {
    fuse_reply_xattr(raw, bytes.size());
  } else if (bytes.size() > size) {
    fuse_reply_err(raw, ERANGE);
  } else {
    reply_bytes(raw, as_bytes(bytes));
  }
}

void do_getxattr(fuse_req_t raw, fuse_ino_t node, const char* name, size_t size) {
  Request request(raw, {"getxattr", node, name});
  request.answer([&](const RequestContext& context) { return request.files().get_xattr(node, name, context); },
                 [&](const std::string& value) { reply_sized(raw, value, size); });
}

// The names one after the other, each with its NUL.
std::string joined(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list.append(name).push_back('\0');
  return list;
}

// The kernel lets only administrators at trusted.*, but in a list it hides nothing.
void do_listxattr(fuse_req_t raw, fuse_ino_t node, size_t size) {
  Request request(raw, {"listxattr", node});
  request.answer([&](const RequestContext& context) { return request.files().list_xattrs(node, context); },
                 [&](std::vector<std::string> names) {
                   if (!request.is_administrator()) {
                     std::erase_if(names, [](const std::string& name) { return name.starts_with("trusted."); });
                   }
                   reply_sized(raw, joined(names), size);
                 });
}

void do_setxattr(fuse_req_t raw, fuse_ino_t node, const char* name, const char* value, size_t size, int flags) {
  Request request(raw, {"setxattr", node, name});
  request.answer([&](const RequestContext& context) {
    return request.files().set_xattr(node, name, std::string(value, size), flags, context);
  });
}

void do_removexattr(fuse_req_t raw, fuse_ino_t node, const char* name) {
  Request request(raw, {"removexattr", node, name});
  request.answer([&](const RequestContext& context) { return request.files().remove_xattr(node, name, context); });
}

}  // namespace

void add_xattr_operations(fuse_lowlevel_ops& table) {
  table.getxattr = do_getxattr;
  table.listxattr = do_listxattr;
  table.setxattr = do_setxattr;
  table.removexattr = do_removexattr;
}

}  // namespace cairn
