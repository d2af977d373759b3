#include "cli/unmount.h"

#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>

#include "base/detached_call.h"

namespace cairn {

namespace {

Result<void> unmount_by_helper(const std::string& mountpoint, UnmountMode mode) {
  std::string program = "fusermount3";
  std::string flags = mode == UnmountMode::lazy ? "-uqz" : "-uq";
  std::string path = mountpoint;
  const std::array<char*, 4> arguments = {program.data(), flags.data(), path.data(), nullptr};
  pid_t child = -1;
  const int failed = ::posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments.data(), environ);
  if (failed != 0) return fail(error_from_errno(failed, "fusermount3 (package fuse3)"));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(Errc::conflict, "{}: fusermount3 cannot unmount it: in use, or another user's", mountpoint);
}

}  // namespace

MountHealth probe_mount(const std::string& mountpoint, std::chrono::nanoseconds timeout) {
  const std::function<int()> look = [mountpoint] {
    struct stat info {};
    struct statvfs room {};
    if (::stat(mountpoint.c_str(), &info) != 0) return errno;
    // The kernel may have answered from its memory; this it always asks for.
    return ::statvfs(mountpoint.c_str(), &room) == 0 ? 0 : errno;
  };
  const std::optional<int> answer = call_detached("probe", look, timeout);
  if (!answer) return MountHealth::silent;
  const int error = *answer;
  if (error == 0) return MountHealth::answers;
  return error == ENOTCONN || error == ECONNABORTED ? MountHealth::dead : MountHealth::other;
}

Result<void> unmount(const std::string& mountpoint, UnmountMode mode, bool superuser) {
  if (!superuser) return unmount_by_helper(mountpoint, mode);
  const int flags = UMOUNT_NOFOLLOW | (mode == UnmountMode::lazy ? MNT_DETACH : 0);
  if (::umount2(mountpoint.c_str(), flags) == 0) return {};
  if (errno == EBUSY) return fail(Errc::conflict, "{}: in use: end who uses it, or use --lazy", mountpoint);
  return fail(error_from_errno(errno, mountpoint));
}

void abort_connection(const MountPoint& mount) {
  const std::string minor = mount.device.substr(mount.device.find(':') + 1);
  std::ofstream file("/sys/fs/fuse/connections/" + minor + "/abort");
  file << "1" << std::flush;
  // Not mounted everywhere. Root has another way, which also unmounts what nobody uses.
  if (!file) (void)::umount2(mount.path.c_str(), UMOUNT_NOFOLLOW | MNT_FORCE);
}

}  // namespace cairn
