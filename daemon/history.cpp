#include "daemon/history.h"

#include <algorithm>

#include "store/directories/path_lookup.h"

namespace cairn {

namespace {

nlohmann::json version_json(VersionNumber number, const Version& version) {
  return {{"number", number},
          {"published_ns", version.published},
          {"mtime_ns", version.mtime},
          {"size", version.size_bytes},
          {"chunks_new", version.chunks_new},
          {"chunks_shared", version.chunks_shared},
          {"sent_bytes", version.stored_bytes},
          {"host", version.host}};
}

nlohmann::json history_json(const Entry& entry, const std::string& path) {
  nlohmann::json versions = nlohmann::json::array();
  for (size_t i = 0; i < entry.versions.size(); ++i) {
    versions.push_back(version_json(entry.first_version + i, *entry.versions[i]));
  }
  nlohmann::json deleted = entry.deleted ? nlohmann::json(*entry.deleted) : nlohmann::json(nullptr);
  return {{"path", "/" + path}, {"deleted_ns", std::move(deleted)}, {"versions", std::move(versions)}};
}

std::string below_root(const std::string& path) {
  return path.substr(std::min(path.find_first_not_of('/'), path.size()));
}

Result<nlohmann::json> history_of(const Result<Entry>& entry, const std::string& path) {
  if (!entry) return fail(entry.error());
  if (entry->kind != Kind::file && entry->versions.empty()) {
    return fail(Errc::invalid_argument, "/{}: no file, and none had its name", path);
  }
  return history_json(*entry, path);
}

}  // namespace

Result<nlohmann::json> load_history(StoreEnvironment& environment, const std::string& path,
                                    const RequestContext& context) {
  const std::string inside = below_root(path);
  return history_of(find_entry(directories_of_store(environment, context), inside), inside);
}

Result<nlohmann::json> load_history(FileSystemControl& files, StoreEnvironment& environment, const std::string& path,
                                    const RequestContext& context) {
  const std::string inside = below_root(path);
  const Result<Entry> seen = files.entry_at(inside, context);
  if (!seen && seen.error().code() == Errc::not_found) return load_history(environment, path, context);
  return history_of(seen, inside);
}

}  // namespace cairn
