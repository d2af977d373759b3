// Which CairnFS mounts this host has, found without ever waiting for one of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "daemon/host_environment.h"

namespace cairn {

// One line of /proc/self/mountinfo.
struct MountPoint {
  std::string path;
  std::string type;                    // "fuse.cairnfs"
  std::string source;                  // the store's URL
  std::string device;                  // "0:52": major:minor, which also names the FUSE connection
  std::vector<std::string> options{};  // of the mount and of what is mounted: "rw", "nosuid"
};

inline constexpr std::string_view kMountType = "fuse.cairnfs";

// All mounts, in the kernel's order: of two on one path the later one is visible.
std::vector<MountPoint> parse_mountinfo(std::string_view text);
// Those of this host that are of type fuse.cairnfs.
std::vector<MountPoint> cairnfs_mounts(const HostEnvironment& host);
// The visible mount at exactly `path`.
std::optional<MountPoint> mount_at(const std::vector<MountPoint>& mounts, std::string_view path);

// Where a path is: in which mount, and under what name there.
struct Location {
  std::string mountpoint;
  std::string inside;  // "" for the root, else "a/b"
};

// Follows symbolic links only up to the first of `mounts`, so that a mount that hangs cannot hang the caller.
// Failures: not_found: the path is in none of them.
Result<Location> locate(const std::string& path, const std::string& directory, const std::vector<MountPoint>& mounts);

}  // namespace cairn
