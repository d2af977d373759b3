// Which CairnFS mounts this host has, found without ever waiting for one of them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/streams.h"

namespace cairn {

// One line of /proc/self/mountinfo.
struct MountPoint {
  std::string path;
  std::string type;    // "fuse.cairnfs"
  std::string source;  // the store's URL
  std::string device;  // "0:52": major:minor, which also names the FUSE connection
};

inline constexpr std::string_view kMountType = "fuse.cairnfs";

// All mounts, in the kernel's order: of two on one path the later one is visible.
std::vector<MountPoint> parse_mountinfo(std::string_view text);
// Those of this host that are of type fuse.cairnfs.
std::vector<MountPoint> cairnfs_mounts(const Streams& streams);
// The visible mount at exactly `path`.
std::optional<MountPoint> mount_at(const std::vector<MountPoint>& mounts, std::string_view path);

// Where a path is: in which mount, and under what name there.
struct Location {
  std::string mountpoint;
  std::string inside;  // "" for the root, else "a/b"
};

// Absolute, "." and ".." and double slashes resolved by the text alone.
std::string absolute_path(const std::string& path, const std::string& directory);

// Follows symbolic links only up to the first of `mounts`, so that a mount that hangs cannot hang the caller.
// Failures: not_found: the path is in none of them.
Result<Location> locate(const std::string& path, const std::string& directory, const std::vector<MountPoint>& mounts);

// "/run/cairnfs" for root, "$XDG_RUNTIME_DIR/cairnfs" for others (without one: below the cache); $CAIRNFS_RUNTIME_DIR
// goes before both.
std::string runtime_directory(const Streams& streams);
// A name for a mountpoint that can be a file's: "srv-models" for /srv/models; long ones are cut and get a digest.
std::string escaped_mountpoint(std::string_view mountpoint);
std::string control_socket_path(const Streams& streams, std::string_view mountpoint);

// "/var/cache/cairnfs/4f2a91bc-srv-models" (root), below $XDG_CACHE_HOME or ~/.cache for others: never the same for two
// mounts.
std::string default_cache_directory(const Streams& streams, std::string_view store_id, std::string_view mountpoint);

}  // namespace cairn
