// Everything that is decided before a mount is served.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/host_environment.h"
#include "daemon/mounted_store.h"
#include "daemon/settings.h"
#include "fs/fuse/fuse_session.h"

namespace cairn {

// What somebody asked for, by the command line, after -o and in configuration files.
struct MountRequest {
  std::string store;       // its URL
  std::string mountpoint;  // absolute, symbolic links resolved
  Settings settings;
  std::vector<std::string> kernel_options;  // "nodev", "nosuid"
  bool allow_nonempty = false;              // mount over a directory that has entries
  bool follow_symlinks = true;
  Ownership ownership{};
  bool foreground = false;  // log to the terminal unless log.file says otherwise
};

// The store is open, all paths are absolute, and what the request left open is decided.
struct MountPlan {
  MountedStore::Options store;  // moves on when the daemon opens it
  FuseSession::Options session;
  std::string cache_dir;
  std::string control_socket;
  std::string log_file;             // "": the terminal
  uint64_t group_memory_bytes = 0;  // the limit of the control group that `memory` is a quarter of; 0: it is not
};

// Opens the store, once, and finds out whether this host may write to it: before its first write to an endpoint that
// creates objects atomically is proven (remote/atomic_create_proof.h). Makes the cache directory. `notice` is told what
// turns out differently from what was asked. Failures: those of the parts, in words that say what to do.
Result<MountPlan> plan_mount(const MountRequest& request, const HostEnvironment& host,
                             const std::function<void(const std::string&)>& notice);

}  // namespace cairn
