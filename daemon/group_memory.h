// How much memory the daemon's control group leaves it.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/host_environment.h"

namespace cairn {

// The least of the limits of the control group that this process is in and of all above it, as far as they are to be
// seen from here: memory.max (cgroup v2), memory.limit_in_bytes (v1). nullopt: there is none, or nothing to be seen.
std::optional<uint64_t> group_memory_limit(const HostEnvironment& host);

}  // namespace cairn
