// What `.versions` shows: the history that a directory's entries list, made up as directories and read-only files.
//
//   .versions/NAME/3     the third version of NAME, which may be deleted by now
#pragma once

#include <string>
#include <vector>

#include "fs/file_system.h"

namespace cairn {

// st_ino of `.versions` (no name), `.versions/NAME` (no number) and `.versions/NAME/<number>` in a directory. The same
// on every host, and no entry's.
EntryId versions_inode(EntryId directory, const std::string& name = {}, VersionNumber number = 0);

// The entry whose history `.versions/NAME` shows, live or deleted; ENOENT if there is none.
Result<EntryPtr> find_history(const Directory& directory, const std::string& name);

// `.versions/NAME/<file_name>` as the entry of a read-only file with that one version; ENOENT if there is none.
Result<EntryPtr> find_old_version(const Directory& directory, const std::string& name, const std::string& file_name);

// `.versions`: the names that have a history. `.versions/NAME`: the numbers still listed, oldest first.
std::vector<DirectoryEntry> list_histories(const Directory& directory);
std::vector<DirectoryEntry> list_versions(EntryId directory, const std::string& name, const Entry& history);

// Attributes of the directories: readable by all users who may read `directory`, writable by nobody.
NodeAttributes versions_attributes(const Attributes& directory, EntryId ino);

}  // namespace cairn
