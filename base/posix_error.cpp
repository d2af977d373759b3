#include "base/posix_error.h"

namespace cairn {

namespace {

Errc errc_for(int posix) {
  switch (posix) {
    case ENOENT:
    case ENODATA:
    case ENXIO: return Errc::not_found;
    case EEXIST: return Errc::already_exists;
    case ESTALE: return Errc::conflict;
    case ENOSPC:
    case EDQUOT: return Errc::no_space;
    case EPERM: return Errc::permission_denied;
    case EROFS: return Errc::read_only;
    case EOPNOTSUPP: return Errc::unsupported;
    case EIO: return Errc::io;
    default: return Errc::invalid_argument;
  }
}

}  // namespace

Error posix_error(int posix, std::string message) { return {errc_for(posix), std::move(message), posix}; }

}  // namespace cairn
