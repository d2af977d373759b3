// Checks of our own invariants, on in every build. Never for bytes from outside: those are data (Errc::corrupt).
#pragma once

#include <string_view>

namespace cairn {

// Where the caller stands. std::source_location would say it, but clang 14, which builds the fuzz targets, lacks it.
struct CodeLocation {
  const char* file;
  int line;
  static CodeLocation current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

[[noreturn]] void check_failed(std::string_view what, CodeLocation where = CodeLocation::current());

// check(used_ >= size, "a lease gives back only what it took");
inline void check(bool holds, std::string_view what, CodeLocation where = CodeLocation::current()) {
  if (!holds) check_failed(what, where);
}

}  // namespace cairn
