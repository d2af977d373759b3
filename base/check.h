// Checks of our own invariants, on in every build. Never for bytes from outside: those are data (Errc::corrupt).
#pragma once

#include <source_location>
#include <string_view>

namespace cairn {

[[noreturn]] void check_failed(std::string_view what, const std::source_location& where);

// check(used_ >= size, "a lease gives back only what it took");
inline void check(bool holds, std::string_view what,
                  const std::source_location& where = std::source_location::current()) {
  if (!holds) check_failed(what, where);
}

}  // namespace cairn
