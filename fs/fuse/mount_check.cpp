#include "fs/fuse/mount_check.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

namespace cairn {

namespace {

// The source of the CairnFS mount that is visible at `path`, if one is.
std::optional<std::string> cairnfs_source_at(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> table(::setmntent("/proc/self/mounts", "r"), ::endmntent);
  if (!table) return std::nullopt;
  std::optional<std::string> source;
  std::array<char, 16384> text{};
  mntent line{};
  while (::getmntent_r(table.get(), &line, text.data(), static_cast<int>(text.size())) != nullptr) {
    if (path != line.mnt_dir) continue;
    source = std::string(line.mnt_type) == kFuseType ? std::optional<std::string>(line.mnt_fsname) : std::nullopt;
  }
  return source;
}

// The path as the table of mounts has it, found without asking what is mounted there.
std::string resolved_up_to_name(const std::string& mountpoint) {
  std::error_code code;
  std::filesystem::path path = std::filesystem::absolute(mountpoint, code).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  const std::filesystem::path parent = std::filesystem::canonical(path.parent_path(), code);
  return code ? path.string() : (parent / path.filename()).string();
}

Result<void> explain_stat(int errno_value, const std::string& mountpoint) {
  switch (errno_value) {
    case ENOENT:
      return fail(Errc::not_found, "mountpoint {} does not exist: create it with `mkdir -p {}`", mountpoint,
                  mountpoint);
    case ENOTCONN:
    case ECONNABORTED:
      return fail(Errc::unavailable, "the program that served {} has died: clear it with `umount -l {}`", mountpoint,
                  mountpoint);
    default: return fail(error_from_errno(errno_value, fmt::format("mountpoint {}", mountpoint)));
  }
}

Result<void> check_empty(const std::string& mountpoint) {
  std::error_code code;
  const bool empty = std::filesystem::is_empty(mountpoint, code);
  if (code) return fail(error_from_errno(code.value(), fmt::format("mountpoint {}", mountpoint)));
  if (empty) return {};
  return fail(Errc::invalid_argument,
              "mountpoint {} is not empty, and a mount would hide what is in it: choose an empty directory, or say -o "
              "nonempty",
              mountpoint);
}

bool is_executable_in(const std::string& directories, const std::string& program) {
  size_t begin = 0;
  while (begin <= directories.size()) {
    const size_t end = std::min(directories.find(':', begin), directories.size());
    if (::access((directories.substr(begin, end - begin) + "/" + program).c_str(), X_OK) == 0) return true;
    begin = end + 1;
  }
  return false;
}

// Root may, and a service that has nothing of root's but this capability.
bool may_mount_itself() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> capabilities{};
  if (::syscall(SYS_capget, &header, capabilities.data()) != 0) return ::geteuid() == 0;
  return (capabilities[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN)) != 0;
}

Result<void> check_fusermount() {
  const char* path = std::getenv("PATH");
  if (is_executable_in(std::string("/usr/bin:/bin:/usr/local/bin:") + (path == nullptr ? "" : path), "fusermount3")) {
    return {};
  }
  return fail(Errc::unsupported,
              "fusermount3 is missing, which mounts for ordinary users: install it (`apt install fuse3`) or mount as "
              "root");
}

}  // namespace

Result<void> check_mountpoint(const std::string& mountpoint, bool allow_nonempty) {
  // Before stat, which would wait for the daemon of a mount that hangs.
  if (const auto source = cairnfs_source_at(resolved_up_to_name(mountpoint))) {
    return fail(Errc::already_exists, "{} is mounted already, from {}: `cairnfs umount {}` first", mountpoint, *source,
                mountpoint);
  }
  struct stat info {};
  if (::stat(mountpoint.c_str(), &info) != 0) return explain_stat(errno, mountpoint);
  if (!S_ISDIR(info.st_mode)) {
    return fail(Errc::invalid_argument, "mountpoint {} is not a directory", mountpoint);
  }
  if (allow_nonempty) return {};
  return check_empty(mountpoint);
}

Result<void> check_fuse_device() {
  const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device >= 0) {
    ::close(device);
    return may_mount_itself() ? Result<void>{} : check_fusermount();
  }
  switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return fail(Errc::unsupported,
                  "/dev/fuse is missing: load the kernel module (`modprobe fuse`); in a container, start it with "
                  "--device /dev/fuse --cap-add SYS_ADMIN");
    case EACCES:
    case EPERM:
      return fail(Errc::permission_denied,
                  "/dev/fuse may not be opened: its mode should be 0666 (`chmod 666 /dev/fuse`); in a container, start "
                  "it with --device /dev/fuse --cap-add SYS_ADMIN");
    default: return fail(error_from_errno(errno, "open /dev/fuse"));
  }
}

Result<void> check_allow_other() {
  if (may_mount_itself()) return {};
  std::ifstream settings("/etc/fuse.conf");
  for (std::string line; std::getline(settings, line);) {
    if (line.starts_with("user_allow_other")) return {};
  }
  return fail(
      Errc::permission_denied,
      "allow_other needs the line `user_allow_other` in /etc/fuse.conf: ask the administrator, mount as root, or "
      "leave allow_other out");
}

}  // namespace cairn
