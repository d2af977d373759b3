// From paths to entries and files.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/directories/directory.h"

namespace cairn {

// How a walk comes by the directories on its way: from the store itself, or those that a mount has open.
using OpenDirectory = std::function<Result<std::shared_ptr<Directory>>(EntryId id)>;

// Loads each from the store. Borrows both.
OpenDirectory directories_of_store(StoreEnvironment& environment, const RequestContext& context);

// The entry at `path` below the root: also what is left of a deleted name, and what is below a removed directory.
// Follows no symbolic links. Failures: not_found, naming the component that is missing; those of `open`.
Result<Entry> find_entry(const OpenDirectory& open, const std::string& path);

struct NamedVersion {
  std::string path;  // below the root, without a leading "/"
  VersionPtr version;
};

// The file at `path`, or every file at any depth below it, with its current version; files without content are left
// out. `links`, unless nullptr, is added the symbolic links below it. Failures: not_found; invalid_argument (a symbolic
// link); those of `open`.
Result<std::vector<NamedVersion>> files_below(const OpenDirectory& open, const std::string& path,
                                              std::vector<std::string>* links = nullptr);

}  // namespace cairn
