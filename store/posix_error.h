// Errors of which POSIX wants more than an Errc says.
#pragma once

#include <cerrno>
#include <utility>

#include "base/result.h"

namespace cairn {

// return refuse(ENOTEMPTY, "'{}' is not empty", name);
template <class... Args>
tl::unexpected<Error> refuse(int posix, fmt::format_string<Args...> format, Args&&... args) {
  const Errc code = posix == ENOENT ? Errc::not_found : posix == EEXIST ? Errc::already_exists : Errc::invalid_argument;
  return fail(Error(code, fmt::format(format, std::forward<Args>(args)...), posix));
}

}  // namespace cairn
