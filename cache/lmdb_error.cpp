#include "cache/lmdb_error.h"

#include <lmdb.h>

namespace cairn {

Error error_from_lmdb(int code, std::string_view what) {
  if (code > 0) return error_from_errno(code, what);
  const auto with = [&](Errc errc) { return Error(errc, fmt::format("{}: {}", what, mdb_strerror(code))); };
  switch (code) {
    case MDB_MAP_FULL: return with(Errc::no_space);
    case MDB_READERS_FULL: return with(Errc::unavailable);
    case MDB_NOTFOUND: return with(Errc::not_found);
    default: return with(Errc::corrupt);
  }
}

}  // namespace cairn
