#include "fs/fuse/mount_device.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace cairn {

namespace {

Result<void> write_setting(const std::string& path, std::string_view value) {
  const int setting = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (setting < 0) return fail(error_from_errno(errno, path));
  const ssize_t written = ::write(setting, value.data(), value.size());
  const int error = written < 0 ? errno : 0;
  ::close(setting);
  if (error != 0) return fail(error_from_errno(error, path));
  return {};
}

}  // namespace

Result<MountDevice> device_of_mount(const std::string& mountpoint) {
  struct statx info {};
  if (::statx(AT_FDCWD, mountpoint.c_str(), AT_STATX_DONT_SYNC, 0, &info) != 0) {
    return fail(error_from_errno(errno, mountpoint));
  }
  return MountDevice{info.stx_dev_major, info.stx_dev_minor};
}

Result<void> forbid_symlinks(const std::string& mountpoint) {
  mount_attr change{};
  change.attr_set = MOUNT_ATTR_NOSYMFOLLOW;
  if (::syscall(SYS_mount_setattr, AT_FDCWD, mountpoint.c_str(), 0, &change, sizeof change) == 0) return {};
  return fail(error_from_errno(errno, mountpoint));
}

Result<void> set_read_ahead(const MountDevice& device, uint32_t size_bytes) {
  return write_setting(fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", device.major, device.minor),
                       fmt::format("{}", size_bytes / 1024));
}

Result<void> abort_connection(const MountDevice& device) {
  return write_setting(fmt::format("/sys/fs/fuse/connections/{}/abort", device.minor), "1");
}

}  // namespace cairn
