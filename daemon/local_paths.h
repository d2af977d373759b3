// Where a mount's socket and cache are on this machine, unless somebody says otherwise.
#pragma once

#include <string>
#include <string_view>

#include "daemon/host_environment.h"

namespace cairn {

// "/run/cairnfs" for root, "$XDG_RUNTIME_DIR/cairnfs" for others (without one: below the cache); $CAIRNFS_RUNTIME_DIR
// goes before both.
std::string runtime_directory(const HostEnvironment& host);
// A name for a mountpoint that can be a file's: "srv-models" for /srv/models; long ones are cut and get a digest.
std::string escaped_mountpoint(std::string_view mountpoint);
std::string control_socket_path(const HostEnvironment& host, std::string_view mountpoint);
// Where a mount's socket is, for who looks for its daemon: that path, or if nothing is there the same name in a
// directory beside it, where a daemon of another user has it that a service manager has started.
std::string find_control_socket(const HostEnvironment& host, std::string_view mountpoint);

// "/var/cache/cairnfs/4f2a91bc-srv-models" (root), below $XDG_CACHE_HOME or ~/.cache for others: never the same for two
// mounts.
std::string default_cache_directory(const HostEnvironment& host, std::string_view store_id,
                                    std::string_view mountpoint);

}  // namespace cairn
