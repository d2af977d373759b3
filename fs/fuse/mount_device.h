// The kernel's side of one mount, as /sys shows it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace cairn {

// The device number that names a mount in /sys. A number is free for others once its mount is gone.
struct MountDevice {
  uint32_t major = 0;
  uint32_t minor = 0;
};

// Never waits for the mount's daemon.
Result<MountDevice> device_of_mount(const std::string& mountpoint);

// The kernel starts every FUSE mount with 128 KiB of read-ahead, which keeps a sequential reader at half the speed, and
// takes no more than that from INIT. Failures: permission_denied for all but root.
Result<void> set_read_ahead(const MountDevice& device, uint32_t size_bytes);

// Fails every request, waiting or to come, with ENOTCONN. Failures: not_found (fusectl is not mounted).
Result<void> abort_connection(const MountDevice& device);

// From now on the mount's symbolic links are not followed. Root only.
Result<void> forbid_symlinks(const std::string& mountpoint);

}  // namespace cairn
