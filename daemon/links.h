// Paths in a mount with symbolic links in them, as the commands are given them.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "store/format/entry.h"

namespace cairn {

using EntryAt = std::function<Result<Entry>(const std::string& path)>;

// `path`, below the root of what is mounted at `mountpoint`, with every link on its way followed; its last component
// too, unless that has versions of its own and `keeps_history` says that they count. What does not exist stays as it
// is, for others to complain about. Failures: invalid_argument (a link leads out of the mount, or there are too many);
// those of `entry_at` but for not_found.
Result<std::string> follow_links(const EntryAt& entry_at, const std::string& path, const std::string& mountpoint,
                                 bool keeps_history);

}  // namespace cairn
