// The counters of a mount, as `cairnfs status --json` prints them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "daemon/mounted_store.h"

namespace cairn {

// {"cache", "memory", "reads", "writes", "files", "requests", "endpoint", "recent_errors"}.
nlohmann::json status_json(MountedStore& store, const std::string& cache_dir);

}  // namespace cairn
