// What `cairnfs log` tells: the versions of a name, as the store has them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fs/file_system_control.h"
#include "store/environment.h"

namespace cairn {

// The history of the name at `path`, read from the store itself: deleted names and those in removed directories too.
// Failures: those of find_entry(); invalid_argument: it is no file.
//
// {"path", "deleted_ns" (or null), "versions": [{"number", "published_ns", "mtime_ns", "size", "chunks_new",
// "chunks_shared", "sent_bytes", "host"}…]}, oldest first.
Result<nlohmann::json> load_history(StoreEnvironment& environment, const std::string& path,
                                    const RequestContext& context);

// The same as a mount sees it: with what it has not committed yet. What it cannot find it looks for in the store, which
// knows removed directories, too.
Result<nlohmann::json> load_history(FileSystemControl& files, StoreEnvironment& environment, const std::string& path,
                                    const RequestContext& context);

}  // namespace cairn
