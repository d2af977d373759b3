#include "remote/directory/file_error.h"

#include <cerrno>

namespace cairn {

namespace {

std::string_view advice_on(int errno_value) {
  switch (errno_value) {
    case ENOSPC: return "free some space on the store's file system, or extend it";
    case EDQUOT: return "the quota of the store's owner is used up";
    case EROFS: return "the store's file system takes no writes: remount it, or use the store read-only";
    case EACCES:
    case EPERM: return "give this user access to the store's directory and all below it";
    case ESTALE: return "the file server has forgotten this handle; if it stays so, mount the store again";
    case EMFILE:
    case ENFILE: return "raise the limit of open files";
    case ELOOP: return "symbolic links inside a store are not followed";
    case EXDEV: return "a store has to be on one file system";
    default: return "";
  }
}

}  // namespace

Error file_error(int errno_value, std::string_view what) {
  Error error = error_from_errno(errno_value, what);
  const std::string_view advice = advice_on(errno_value);
  if (advice.empty()) return error;
  return {error.code(), fmt::format("{}: {}", error.message(), advice)};
}

}  // namespace cairn
