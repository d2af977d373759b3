// Errors that POSIX names more exactly than an Errc does: what the rules of names and files refuse, in
// store/directories and fs/.
#pragma once

#include <cerrno>
#include <utility>

#include "base/result.h"

namespace cairn {

// An error that carries `posix`; its Errc follows from it.
Error posix_error(int posix, std::string message);

// return fail_posix(ENOTEMPTY, "'{}' has entries", name);
template <class... Args>
tl::unexpected<Error> fail_posix(int posix, fmt::format_string<Args...> format, Args&&... args) {
  return fail(posix_error(posix, fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace cairn
