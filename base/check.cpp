#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace cairn {

void check_failed(std::string_view what, CodeLocation where) {
  std::fprintf(stderr, "cairnfs: broken invariant: %.*s (%s:%d)\n", static_cast<int>(what.size()), what.data(),
               where.file, where.line);
  std::abort();
}

}  // namespace cairn
