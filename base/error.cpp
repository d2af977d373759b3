#include "base/error.h"

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace cairn {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::not_found: return "not found";
    case Errc::already_exists: return "already exists";
    case Errc::conflict: return "conflict";
    case Errc::invalid_argument: return "invalid argument";
    case Errc::unavailable: return "unavailable";
    case Errc::deadline_exceeded: return "deadline exceeded";
    case Errc::cancelled: return "cancelled";
    case Errc::corrupt: return "corrupt";
    case Errc::no_space: return "no space";
    case Errc::permission_denied: return "permission denied";
    case Errc::read_only: return "read-only";
    case Errc::unsupported: return "unsupported";
    case Errc::io: return "i/o error";
  }
  check_failed("an Errc has a name");
}

std::string Error::to_string() const { return fmt::format("{}: {}", cairn::to_string(code_), message_); }

Error Error::in(std::string_view context) const { return {code_, fmt::format("{}: {}", context, message_), posix_}; }

namespace {

Errc errc_from_errno(int errno_value) {
  switch (errno_value) {
    case ENOENT:
    case ENOTDIR: return Errc::not_found;
    case EEXIST: return Errc::already_exists;
    case EINVAL:
    case ENAMETOOLONG: return Errc::invalid_argument;
    case EAGAIN:
    case ESTALE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: return Errc::unavailable;
    case EINTR: return Errc::cancelled;
    case ENOSPC:
    case EDQUOT: return Errc::no_space;
    case EACCES:
    case EPERM: return Errc::permission_denied;
    case EROFS: return Errc::read_only;
    case EOPNOTSUPP:
    case ENOSYS: return Errc::unsupported;
    default: return Errc::io;
  }
}

}  // namespace

Error error_from_errno(int errno_value, std::string_view what) {
  return {errc_from_errno(errno_value), fmt::format("{}: {}", what, std::strerror(errno_value))};
}

}  // namespace cairn
