// Why a mount cannot work, in words that say what to do about it, before libfuse fails with fewer.
#pragma once

#include <string>

#include "base/result.h"

namespace cairn {

inline constexpr const char* kFuseType = "fuse.cairnfs";

// Failures: not_found (nothing there), invalid_argument (no directory, or not empty unless `allow_nonempty`),
// already_exists (a CairnFS mount is there), unavailable (what is mounted there is dead).
Result<void> check_mountpoint(const std::string& mountpoint, bool allow_nonempty);

// Whether this process may mount with FUSE at all. Failures: unsupported (no /dev/fuse, no fusermount3),
// permission_denied.
Result<void> check_fuse_device();
// An ordinary user may let others in only where the administrator allows it.
Result<void> check_allow_other();

}  // namespace cairn
