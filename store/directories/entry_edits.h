// The mutations that POSIX calls make in one directory. All capture values only and may run again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/directories/directory.h"

namespace cairn {

// The live entry that is `id`: under `name`, or under another one if a host has renamed it meanwhile.
struct FoundEntry {
  std::string name;
  EntryPtr entry;  // nullptr: not in this directory
};
FoundEntry find_entry(const DirectoryEdit& edit, const std::string& name, EntryId id);
FoundEntry find_entry(const Directory& directory, const std::string& name, EntryId id);

// A new name. If it is taken: already_exists when `exclusive`, else nothing happens: the entry that was there first has
// it. The history of deleted files goes on under the new entry; a file adds an empty version that `session` may
// replace.
Mutation create_entry(const std::string& name, const Entry& entry, uint64_t session, bool exclusive,
                      size_t keep_versions);

// The name becomes free, if it still is that entry's.
Mutation remove_entry(const std::string& name, EntryId id, Nanos now);

// A change of attributes as a function of what they are; it captures values only.
using AttributeChange = std::function<Result<void>(Attributes&)>;
// Failures: not_found if the entry is no longer here; the change's own. The current version's mtime follows the file's.
Mutation change_entry(const std::string& name, EntryId id, const AttributeChange& change);
Mutation change_directory(const AttributeChange& change);

// `version` becomes the current one of `file`, wherever in this directory that is by now:
// - under a name that another host gave it: there;
// - unlinked by another host: nowhere, the bytes are gone as those of any unlinked file;
// - its name now another file's of the same owner: on top of that one's history and with `file`'s mode, for the later
//   close wins the name;
// - its name free and without a trace of it: under its name again, as `file` with the id `lost_id`.
// Failures: not_found (the directory was removed), EEXIST (the name is no file any more, or another owner's).
Mutation publish_version(const std::string& name, const Entry& file, const VersionPtr& version, EntryId lost_id,
                         size_t keep_versions);

// Which publication made a version: no two have the same.
struct VersionStamp {
  Nanos published = 0;
  uint64_t session = 0;
  bool operator==(const VersionStamp&) const = default;
};
VersionStamp stamp_of(const Version& version);

// A version that is published long after its close, when the name may have gone on.
struct LateVersion {
  std::string name;
  Entry file;  // without versions
  VersionPtr version;
  std::optional<VersionStamp> base;  // the version it was written on; nullopt: there was none
  std::vector<VersionStamp> own;     // what this host has published since that it was written on, or may have
  bool was_listed = false;           // the directory has known the file, with a version or without
  EntryId replaces = 0;              // the file whose name this host had freed for it; 0: none
  [[nodiscard]] bool was_written_on(const VersionPtr& current) const;
};

// - The file's history lists it already: nothing, so doing this twice changes nothing.
// - The current version is what it was written on: it becomes the current one.
// - The history lists a version of the same session: that one is replaced, or kept if it is not older.
// - Another one is current, or the file is deleted: into its history, the last but one or the last. What is current,
//   its bytes and its attributes stay as they are.
// - A new file that the directory has never heard of, and the name is free, or still is that of the file which was
//   unlinked for it: there.
// Failures, with the directory unchanged; only a person can say what is to become of the bytes then:
//   EEXIST (the name is another entry's), EPERM (another owner's), ENOENT (gone without a trace, or the directory was
//   removed), ENOSPC (the history keeps one version only).
Mutation publish_late(const LateVersion& late, size_t keep_versions);

}  // namespace cairn
