#include "fs/name.h"

#include <cerrno>

#include "base/posix_error.h"
#include "store/format/entry.h"

namespace cairn {

namespace {
constexpr size_t kMaxNameBytes = 255;
}

Result<void> check_name(std::string_view name) {
  if (name.size() > kMaxNameBytes) return fail_posix(ENAMETOOLONG, "a name of {} bytes", name.size());
  if (!is_valid_utf8(name)) return fail_posix(EILSEQ, "a name that is not UTF-8");
  if (!is_valid_name(name)) return fail_posix(EINVAL, "'{}' cannot be a name", name);
  return {};
}

Result<void> check_changeable_name(std::string_view name) {
  if (name == kVersionsName) return fail_posix(EPERM, "'{}' belongs to the filesystem", name);
  return check_name(name);
}

}  // namespace cairn
