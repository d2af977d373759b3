#include "store/directories/path_lookup.h"

#include <deque>
#include <unordered_set>

#include "base/paths.h"

namespace cairn {

namespace {

struct NamedDirectory {
  std::string path;
  EntryId id = 0;
};

// Adds the directory's files to `files`, its directories to `unvisited` and its links to `links`.
Result<void> visit(const OpenDirectory& open, const NamedDirectory& visited, std::vector<NamedVersion>& files,
                   std::deque<NamedDirectory>& unvisited, std::vector<std::string>* links) {
  const auto directory = open(visited.id);
  if (!directory) return fail(directory.error().in("/" + visited.path));
  const auto names = (*directory)->list();
  for (const auto& [name, entry] : *names) {
    std::string path = visited.path.empty() ? name : visited.path + "/" + name;
    if (entry->kind == Kind::directory) {
      unvisited.push_back({std::move(path), entry->id});
    } else if (entry->kind == Kind::symlink) {
      if (links != nullptr) links->push_back(std::move(path));
    } else if (const VersionPtr version = entry->current()) {
      files.push_back({std::move(path), version});
    }
  }
  return {};
}

}  // namespace

OpenDirectory directories_of_store(StoreEnvironment& environment, const RequestContext& context) {
  return [&environment, &context](EntryId id) { return Directory::load(environment, id, context); };
}

Result<Entry> find_entry(const OpenDirectory& open, const std::string& path) {
  Entry entry;
  entry.id = kRootId;
  entry.kind = Kind::directory;
  for (const std::string& name : components_of(path)) {
    if (entry.kind != Kind::directory) {
      return fail(Errc::not_found, "/{}: no such file, '{}' is below a name that is no directory", path, name);
    }
    const auto directory = open(entry.id);
    if (!directory) return fail(directory.error().in("/" + path));
    const EntryPtr found = (*directory)->find_any(name);
    if (found == nullptr) return fail(Errc::not_found, "/{}: the store has never had a '{}' there", path, name);
    entry = *found;
  }
  return entry;
}

Result<std::vector<NamedVersion>> files_below(const OpenDirectory& open, const std::string& path,
                                              std::vector<std::string>* links) {
  const Result<Entry> entry = find_entry(open, path);
  if (!entry) return fail(entry.error());
  if (entry->deleted) return fail(Errc::not_found, "/{}: it was deleted", path);
  if (entry->kind == Kind::symlink) return fail(Errc::invalid_argument, "/{}: a symbolic link: name its target", path);
  std::vector<NamedVersion> files;
  if (entry->kind != Kind::directory) {
    if (const VersionPtr version = entry->current()) files.push_back({path, version});
    return files;
  }
  std::unordered_set<EntryId> seen;  // a ring of directories in a damaged store must not keep us for ever
  std::deque<NamedDirectory> unvisited{{path, entry->id}};
  for (; !unvisited.empty(); unvisited.pop_front()) {
    const NamedDirectory next = unvisited.front();
    if (!seen.insert(next.id).second) continue;
    if (auto visited = visit(open, next, files, unvisited, links); !visited) return fail(visited.error());
  }
  return files;
}

}  // namespace cairn
