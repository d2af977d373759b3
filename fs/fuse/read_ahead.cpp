#include "fs/fuse/read_ahead.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace cairn {

Result<void> set_read_ahead(const std::string& mountpoint, uint32_t size_bytes) {
  struct statx info {};
  if (::statx(AT_FDCWD, mountpoint.c_str(), AT_STATX_DONT_SYNC, 0, &info) != 0) {
    return fail(error_from_errno(errno, mountpoint));
  }
  const std::string path = fmt::format("/sys/class/bdi/{}:{}/read_ahead_kb", info.stx_dev_major, info.stx_dev_minor);
  const int setting = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (setting < 0) return fail(error_from_errno(errno, path));
  const std::string value = fmt::format("{}", size_bytes / 1024);
  const ssize_t written = ::write(setting, value.data(), value.size());
  const int error = written < 0 ? errno : 0;
  ::close(setting);
  if (error != 0) return fail(error_from_errno(error, path));
  return {};
}

}  // namespace cairn
