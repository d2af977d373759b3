// Where errors meet POSIX.
#pragma once

#include <utility>

#include "base/result.h"

namespace cairn {

// The errno for `error`: Error::posix where it names one, else what its Errc means to a system call. Never 0.
int to_errno(const Error& error);

// An error that POSIX names exactly; its Errc follows from `posix`.
Error posix_error(int posix, std::string message);

// return fail_posix(ENOTEMPTY, "'{}' has entries", name);
template <class... Args>
tl::unexpected<Error> fail_posix(int posix, fmt::format_string<Args...> format, Args&&... args) {
  return fail(posix_error(posix, fmt::format(format, std::forward<Args>(args)...)));
}

// The same error for a caller who named no object of the store: a chunk that is "not found" is EIO to a reader, never
// ENOENT.
Error as_io_error(Error error);

}  // namespace cairn
