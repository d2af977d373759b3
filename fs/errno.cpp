#include "fs/errno.h"

#include <cerrno>

#include "base/check.h"

namespace cairn {

namespace {

int errno_for(Errc code) {
  switch (code) {
    case Errc::not_found: return ENOENT;
    case Errc::already_exists: return EEXIST;
    case Errc::conflict: return EBUSY;
    case Errc::invalid_argument: return EINVAL;
    case Errc::unavailable: return EIO;
    case Errc::deadline_exceeded: return ETIMEDOUT;
    case Errc::cancelled: return EINTR;
    case Errc::corrupt: return EIO;
    case Errc::no_space: return ENOSPC;
    case Errc::permission_denied: return EACCES;
    case Errc::read_only: return EROFS;
    case Errc::unsupported: return EOPNOTSUPP;
    case Errc::io: return EIO;
  }
  check_failed("an Errc has an errno");
}

}  // namespace

int to_errno(const Error& error) { return error.posix() != 0 ? error.posix() : errno_for(error.code()); }

Error as_io_error(Error error) {
  if (error.code() != Errc::not_found) return error;
  return {error.code(), error.message(), EIO};
}

}  // namespace cairn
