// The TOML file that gives settings their values before flags do.
#pragma once

#include <string>
#include <vector>

#include "daemon/host_environment.h"
#include "daemon/settings.h"

namespace cairn {

// Failures: not_found, permission_denied, io; invalid_argument with "FILE:LINE: " for bad TOML, unknown keys (naming
// the nearest known one) and bad values. `settings` is then partly changed.
Result<void> read_config_file(const std::string& path, Settings& settings);

// The files to read, in this order: `explicit_path` alone if given, else $CAIRNFS_CONFIG alone, else those that exist
// of /etc/cairnfs/cairnfs.toml and the user's own.
std::vector<std::string> config_files(const std::string& explicit_path, const HostEnvironment& host);

}  // namespace cairn
