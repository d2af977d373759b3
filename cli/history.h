// What `cairnfs log` tells: the versions of a name, as the store has them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "fs/file_system.h"
#include "store/directory.h"

namespace cairn {

// The entry at `path` below the root, read from the store itself: deleted names and removed directories too. Follows no
// symbolic links. Failures: not_found, naming the component that is missing; those of Directory::load.
Result<Entry> find_entry(StoreEnvironment& environment, const std::string& path, const RequestContext& context);

// {"path", "deleted_ns" (or null), "versions": [{"number", "published_ns", "mtime_ns", "size", "chunks_new",
// "chunks_shared", "sent_bytes", "host"}…]}, oldest first.
nlohmann::json history_json(const Entry& entry, const std::string& path);

// find_entry() and history_json(); `path` may begin with "/". Failures also: invalid_argument: it is no file.
Result<nlohmann::json> load_history(StoreEnvironment& environment, const std::string& path,
                                    const RequestContext& context);

// The same as a mount sees it: with what it has not committed yet. What it cannot find it looks for in the store, which
// knows removed directories, too.
Result<nlohmann::json> load_history(FileSystem& files, StoreEnvironment& environment, const std::string& path,
                                    const RequestContext& context);

}  // namespace cairn
