#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace cairn {

void check_failed(std::string_view what, const std::source_location& where) {
  std::fprintf(stderr, "cairnfs: broken invariant: %.*s (%s:%u)\n", static_cast<int>(what.size()), what.data(),
               where.file_name(), static_cast<unsigned>(where.line()));
  std::abort();
}

}  // namespace cairn
