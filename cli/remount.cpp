#include "cli/remount.h"

#include <sys/mount.h>

#include <array>
#include <cerrno>

#include "cli/mount_client.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kPatience{10};

struct Flag {
  std::string_view on, off;
  unsigned long bit;
};
constexpr std::array<Flag, 7> kFlags = {{{"ro", "rw", MS_RDONLY},
                                         {"nosuid", "suid", MS_NOSUID},
                                         {"nodev", "dev", MS_NODEV},
                                         {"noexec", "exec", MS_NOEXEC},
                                         {"noatime", "atime", MS_NOATIME},
                                         {"nosymfollow", "symfollow", MS_NOSYMFOLLOW},
                                         {"sync", "async", MS_SYNCHRONOUS}}};

unsigned long with(unsigned long flags, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    for (const Flag& flag : kFlags) {
      if (word == flag.on) flags |= flag.bit;
      if (word == flag.off) flags &= ~flag.bit;
    }
  }
  return flags;
}

Result<void> check_writable(const std::string& mountpoint, const Streams& streams) {
  const Result<Json> status = call_mount(streams, mountpoint, {{"op", "status"}}, kPatience);
  if (!status) return fail(status.error());
  if (!status->value("read_only", false)) return {};
  return fail(Errc::read_only, "{} is served read-only: unmount it, and mount it without ro", mountpoint);
}

}  // namespace

Result<void> remount(const std::string& mountpoint, const MountOptions& options, const Streams& streams) {
  const std::optional<MountPoint> mount = mount_at(cairnfs_mounts(streams.host), mountpoint);
  if (!mount) return fail(Errc::not_found, "{} is no CairnFS mount: `cairnfs status` lists them", mountpoint);
  const unsigned long flags = with(with(0, mount->options), options.words);
  if ((flags & MS_RDONLY) == 0) {
    if (auto writable = check_writable(mountpoint, streams); !writable) return writable;
  }
  if (::mount("none", mountpoint.c_str(), nullptr, MS_REMOUNT | flags, nullptr) == 0) return {};
  if (errno == EBUSY) return fail(Errc::conflict, "{}: files are open for writing there", mountpoint);
  return fail(error_from_errno(errno, mountpoint));
}

}  // namespace cairn
