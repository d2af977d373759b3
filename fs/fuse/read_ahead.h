// The kernel's read-ahead for one mount.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cairn {

// Sets the read-ahead of what is mounted at `mountpoint`; never waits for its daemon. The kernel starts every FUSE
// mount with 128 KiB, which keeps a sequential reader at half the speed, and takes no more than that from INIT.
// Failures: permission_denied for all but root.
Result<void> set_read_ahead(const std::string& mountpoint, uint32_t size_bytes);

}  // namespace cairn
