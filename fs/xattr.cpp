#include "fs/xattr.h"

#include <sys/xattr.h>

#include <cerrno>

#include "base/posix_error.h"

namespace cairn {

namespace {

bool is_refused_namespace(const std::string& name) {
  return name.find('.') == name.npos || name.starts_with("system.") || name == "security.capability";
}

size_t total_bytes(const Attributes& attributes) {
  size_t total = 0;
  for (const auto& [name, value] : attributes.xattrs) total += name.size() + value.size();
  return total;
}

}  // namespace

Result<void> check_xattr_name(Kind kind, const std::string& name) {
  if (name.empty() || name.size() > kMaxXattrNameBytes) return fail_posix(ERANGE, "a name of {} bytes", name.size());
  if (name.ends_with('.')) return fail_posix(EINVAL, "'{}' names no attribute", name);
  if (is_refused_namespace(name)) return fail_posix(EOPNOTSUPP, "no attributes like '{}'", name);
  if (!is_valid_utf8(name)) return fail_posix(EILSEQ, "an attribute name that is not UTF-8");
  if (name.starts_with("user.") && kind != Kind::file && kind != Kind::directory) {
    return fail_posix(EPERM, "user attributes are for files and directories");
  }
  return {};
}

Result<std::string> get_xattr(const Attributes& attributes, const std::string& name) {
  const auto found = attributes.xattrs.find(name);
  if (found == attributes.xattrs.end()) return fail_posix(ENODATA, "no attribute '{}'", name);
  return found->second;
}

Result<void> set_xattr(Attributes& attributes, const std::string& name, const std::string& value, int flags) {
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) != 0) return fail_posix(EINVAL, "setxattr flags {:#x}", flags);
  if (value.size() > kMaxXattrValueBytes) return fail_posix(E2BIG, "a value of {} bytes", value.size());
  const auto found = attributes.xattrs.find(name);
  const bool exists = found != attributes.xattrs.end();
  if (exists && (flags & XATTR_CREATE) != 0) return fail_posix(EEXIST, "attribute '{}' exists", name);
  if (!exists && (flags & XATTR_REPLACE) != 0) return fail_posix(ENODATA, "no attribute '{}'", name);
  const size_t without = total_bytes(attributes) - (exists ? name.size() + found->second.size() : 0);
  if (without + name.size() + value.size() > kMaxXattrTotalBytes) {
    return fail_posix(ENOSPC, "more than {} bytes of attributes", kMaxXattrTotalBytes);
  }
  attributes.xattrs.insert_or_assign(name, value);
  return {};
}

Result<void> remove_xattr(Attributes& attributes, const std::string& name) {
  if (attributes.xattrs.erase(name) == 0) return fail_posix(ENODATA, "no attribute '{}'", name);
  return {};
}

}  // namespace cairn
