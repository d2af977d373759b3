#include "fs/versions_directory.h"

#include <cerrno>
#include <charconv>

#include "base/digest.h"
#include "base/posix_error.h"
#include "fs/name.h"

namespace cairn {

namespace {

constexpr uint32_t kWriteBits = 0222;
constexpr uint32_t kPermissionBits = 0777;
constexpr uint32_t kOwnerReads = 0400;

bool has_history(const Entry& entry) { return !entry.versions.empty(); }

// Old versions may be read by all who may read the file that has the name, or had it last. If a symlink or a directory
// has taken the name, that file's mode is gone: then only the owner may.
Attributes access_to(const Entry& history, const Directory& directory) {
  Attributes access = history.kind == Kind::directory ? directory.attributes() : history.attributes;
  const bool has_mode = history.kind == Kind::file;
  access.mode = has_mode ? access.mode & kPermissionBits & ~kWriteBits : kOwnerReads;
  return access;
}

// "7" is a version's name, "07" and "7x" are not: one file, one name.
std::optional<VersionNumber> parse_number(const std::string& text) {
  VersionNumber number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end || std::to_string(number) != text) return std::nullopt;
  return number;
}

}  // namespace

EntryId versions_inode(EntryId directory, const std::string& name, VersionNumber number) {
  const std::string key = fmt::format("{}/{}/{}/{}", directory, kVersionsName, name, number);
  return load_le<EntryId>(xxh3_128(as_bytes(key)).bytes.data());
}

Result<EntryPtr> find_history(const Directory& directory, const std::string& name) {
  EntryPtr entry = directory.find_any(name);
  if (!entry || !has_history(*entry)) return fail_posix(ENOENT, "'{}' has no versions", name);
  return entry;
}

Result<EntryPtr> find_old_version(const Directory& directory, const std::string& name, const std::string& file_name) {
  auto history = find_history(directory, name);
  if (!history) return history;
  const auto number = parse_number(file_name);
  VersionPtr version = number ? (*history)->version(*number) : nullptr;
  if (!version) return fail_posix(ENOENT, "'{}' has no version '{}'", name, file_name);
  Entry entry;
  entry.id = versions_inode(directory.id(), name, *number);
  entry.attributes = access_to(**history, directory);
  entry.attributes.mtime = version->mtime;
  entry.attributes.ctime = version->published;
  entry.versions = {std::move(version)};
  return std::make_shared<const Entry>(std::move(entry));
}

std::vector<DirectoryEntry> list_histories(const Directory& directory) {
  std::vector<DirectoryEntry> listed;
  for (const auto& [name, entry] : directory.state().entries) {
    if (has_history(*entry)) listed.push_back({name, versions_inode(directory.id(), name), Kind::directory});
  }
  return listed;
}

std::vector<DirectoryEntry> list_versions(EntryId directory, const std::string& name, const Entry& history) {
  std::vector<DirectoryEntry> listed;
  for (VersionNumber number = history.first_version; number <= history.current_number(); ++number) {
    listed.push_back({std::to_string(number), versions_inode(directory, name, number), Kind::file});
  }
  return listed;
}

NodeAttributes versions_attributes(const Attributes& directory, EntryId ino) {
  return {.ino = ino,
          .kind = Kind::directory,
          .mode = directory.mode & kPermissionBits & ~kWriteBits,
          .nlink = 2,
          .uid = directory.uid,
          .gid = directory.gid,
          .size_bytes = 0,
          .blocks_512 = 0,
          .mtime = directory.mtime,
          .ctime = directory.ctime};
}

}  // namespace cairn
