// Where errors become errnos.
#pragma once

#include "base/result.h"

namespace cairn {

// The errno for `error`: Error::posix where it names one, else what its Errc means to a system call. Never 0.
int to_errno(const Error& error);

// The same error for a caller who named no object of the store: a chunk that is "not found" is EIO to a reader, never
// ENOENT.
Error as_io_error(Error error);

}  // namespace cairn
