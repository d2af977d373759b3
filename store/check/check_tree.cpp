#include "store/check/check_tree.h"

#include <algorithm>

#include "base/mutex.h"
#include "base/parallel.h"
#include "base/units.h"
#include "store/format/keys.h"
#include "store/format/manifest_codec.h"
#include "store/format/record.h"

namespace cairn {

namespace {

// Directories that are held in memory at once, each with no more than its share.
constexpr size_t kBatch = 16;

// Of a name or directory in the tables here.
constexpr uint64_t kNameBytes = 150;

// Longer paths are for nobody to read, and there may be one for each of millions of directories in each other.
constexpr size_t kMostPath = 4096;

bool moves_from(const Entry& entry, EntryId directory) { return entry.move && entry.move->directory == directory; }

// The directories that an entry leads to: itself, and what an exchange that is under way will put elsewhere.
std::vector<EntryId> children_of(const Entry& entry) {
  std::vector<EntryId> children;
  if (entry.kind == Kind::directory && !entry.deleted) children.push_back(entry.id);
  if (entry.move && entry.move->replacement && entry.move->replacement->kind == Kind::directory) {
    children.push_back(entry.move->replacement->id);
  }
  return children;
}

size_t live_entries(const DirectoryState& state) {
  return static_cast<size_t>(std::ranges::count_if(state.entries, [](const auto& e) { return !e.second->deleted; }));
}

}  // namespace

TreeCheck::Load TreeCheck::load_once(EntryId id, uint64_t most_bytes) const {
  const auto damaged = [](std::string object, Error error) {
    return tl::unexpected(Damage{std::move(object), std::move(error)});
  };
  const std::string prefix = keys::directory(id);
  const auto page = objects_.list(prefix, "", 1, context_);
  if (!page) return damaged(prefix, page.error());
  EntryId named = 0;
  RecordNumber newest = 0;
  if (page->objects.empty()) return damaged(prefix, Error(Errc::not_found, "the directory has no record"));
  if (!keys::parse_record(page->objects[0].key, &named, &newest)) {
    return damaged(page->objects[0].key, Error(Errc::corrupt, "no record has such a name"));
  }
  const auto fetch = [&](RecordNumber number) {
    return objects_.get(keys::record(id, number), {.most_bytes = most_bytes}, context_);
  };
  const auto last = fetch(newest);
  if (!last) return damaged(keys::record(id, newest), last.error());
  const auto snapshot = snapshot_of_record(last->view(), id, newest, most_bytes);
  if (!snapshot) return damaged(keys::record(id, newest), snapshot.error());

  Loaded loaded{.state = {}, .records = newest - *snapshot + 1, .newest = newest};
  for (RecordNumber number = *snapshot; number <= newest; ++number) {
    const auto object = fetch(number);
    if (!object) return damaged(keys::record(id, number), object.error());
    const auto record = decode_record(object->view(), id, number, loaded.state, format_.chunk_size, most_bytes);
    if (!record) return damaged(keys::record(id, number), record.error());
    if (record->snapshot != *snapshot) {
      return damaged(keys::record(id, number), Error(Errc::corrupt, "its snapshot is another than the next record's"));
    }
    apply_record(*record, loaded.state);
    if (loaded.state.weight > most_bytes) {
      return damaged(keys::record(id, number),
                     Error(Errc::no_space, fmt::format("its directory takes more than {}", human_bytes(most_bytes))));
    }
  }
  return loaded;
}

TreeCheck::Load TreeCheck::load(EntryId id) const {
  Load first = load_once(id);
  return first ? std::move(first) : load_once(id);
}

std::string TreeCheck::path_of(EntryId directory) const {
  std::string path;
  for (auto at = directories_.find(directory); at != directories_.end() && at->first != kRootId;
       at = directories_.find(at->second.directory)) {
    if (path.size() > kMostPath) return "…" + path;
    path = "/" + at->second.name + path;
  }
  return path.empty() ? "/" : path;
}

std::string TreeCheck::path_of(EntryId directory, const std::string& name) const {
  const std::string path = path_of(directory);
  return path == "/" ? path + name : path + "/" + name;
}

void TreeCheck::walk() {
  directories_.emplace(kRootId, Parent{});
  std::vector<EntryId> unread{kRootId};
  while (!unread.empty() && !ledger_.stopped()) {
    const size_t size = std::min(kBatch, unread.size());
    const std::vector<EntryId> batch(unread.end() - static_cast<ptrdiff_t>(size), unread.end());
    unread.resize(unread.size() - size);
    std::vector<std::optional<Load>> loads(size);
    run_in_parallel(workers_, size, kCheckHelpers,
                    [&](size_t i) { loads[i] = load_once(batch[i], ledger_.share_bytes()); });
    for (size_t i = 0; i < size && !ledger_.stopped(); ++i) {
      // Once more: it may have been damaged on its way. Or it is larger than its share, and is read while no other is.
      if (!*loads[i]) loads[i] = load_once(batch[i]);
      if (*loads[i]) {
        visit(batch[i], **loads[i], unread);
      } else {
        report_directory(batch[i], loads[i]->error());
      }
      loads[i].reset();
    }
  }
}

void TreeCheck::visit(EntryId id, const Loaded& loaded, std::vector<EntryId>& unread) {
  // Retired by an rmdir that has not freed the name yet: as good as gone.
  if (loaded.state.removed) return;
  std::vector<ManifestUse> manifests;
  for (const auto& [name, entry] : loaded.state.entries) {
    ledger_.remember(kNameBytes);
    if (ledger_.stopped()) return;
    visit_entry(id, name, *entry, manifests);
    for (const EntryId child : children_of(*entry)) {
      if (!directories_.try_emplace(child, Parent{.directory = id, .name = name}).second) continue;
      unread.push_back(child);
      ledger_.remember(kNameBytes + name.size());
    }
  }
  ledger_.count([&](CheckReport& report) {
    ++report.directories;
    report.records += loaded.records;
  });
  ledger_.expect_objects(loaded.records);
  for (uint64_t i = 0; i < loaded.records; ++i) ledger_.done_object(0);
  read_manifests(manifests);
}

void TreeCheck::visit_entry(EntryId directory, const std::string& name, const Entry& entry,
                            std::vector<ManifestUse>& manifests) {
  if (!entry.deleted) {
    const auto [home, is_first] = homes_.try_emplace(entry.id, directory);
    if (!is_first) duplicates_.push_back({entry.id, home->second, directory});
  }
  ledger_.count([&](CheckReport& report) {
    report.files += entry.kind == Kind::file && !entry.deleted ? 1 : 0;
    report.versions += entry.versions.size();
  });
  const std::string path = path_of(directory, name);
  if (entry.versions.size() > format_.keep_versions) {
    ledger_.find(
        {.loss = false,
         .object = keys::directory(directory),
         .path = path,
         .message = fmt::format("{} versions are listed where the store keeps {}; the next save drops the rest",
                                entry.versions.size(), format_.keep_versions)});
  }
  visit_versions(path, entry, manifests);
  if (entry.move && entry.move->replacement) visit_versions(path, *entry.move->replacement, manifests);
}

void TreeCheck::visit_versions(const std::string& path, const Entry& entry, std::vector<ManifestUse>& manifests) {
  for (size_t i = 0; i < entry.versions.size(); ++i) {
    const Version& version = *entry.versions[i];
    const bool is_current = entry.versions[i] == entry.current() && !entry.deleted;
    const std::string where = is_current ? path : fmt::format("{} (version {})", path, entry.first_version + i);
    if (const auto* manifest = std::get_if<ManifestPtr>(&version.content)) {
      chunks_.add((*manifest)->chunks(), where);
    } else if (const auto* id = std::get_if<Digest>(&version.content)) {
      manifests.push_back({*id, version.size_bytes, where});
    }
  }
}

Result<Manifest> TreeCheck::read_manifest(const ManifestUse& use, uint64_t most_bytes) {
  const auto object = objects_.get(keys::manifest(use.id), {.most_bytes = most_bytes}, context_);
  if (!object) return fail(object.error());
  return decode_manifest(object->view(), use.id, format_.chunk_size, most_bytes);
}

// Each manifest is read once, for the first version that names it; a damaged one is reported for every version.
void TreeCheck::read_manifests(const std::vector<ManifestUse>& uses) {
  std::vector<ManifestUse> unread;
  for (const ManifestUse& use : uses) {
    if (!manifests_.try_emplace(use.id, std::nullopt).second) continue;
    ledger_.remember(kNameBytes);
    unread.push_back(use);
  }
  ledger_.expect_objects(unread.size());
  Mutex mutex;
  std::vector<const ManifestUse*> again;
  run_in_parallel(workers_, unread.size(), kCheckHelpers, [&](size_t i) {
    if (ledger_.stopped()) return;
    const auto manifest = read_manifest(unread[i], ledger_.share_bytes());
    const MutexLock lock(mutex);
    if (!manifest) return again.push_back(&unread[i]);
    ledger_.done_object(0);
    manifests_[unread[i].id] = manifest->size_bytes();
    chunks_.add(manifest->chunks(), unread[i].path);
  });
  // What was damaged on its way, or is larger than its share and is read while no other is.
  std::unordered_map<Digest, std::string, DigestHash> damage;
  for (const ManifestUse* use : again) {
    if (ledger_.stopped()) return;
    const auto manifest = read_manifest(*use, ledger_.most_bytes());
    ledger_.done_object(0);
    if (manifest) {
      manifests_[use->id] = manifest->size_bytes();
      chunks_.add(manifest->chunks(), use->path);
    } else if (ledger_.is_damage(manifest.error())) {
      damage.emplace(use->id, manifest.error().message());
    }
  }
  ledger_.count([&](CheckReport& report) { report.manifests += unread.size() - damage.size(); });
  if (ledger_.stopped()) return;
  for (const ManifestUse& use : uses) {
    const auto size = manifests_.at(use.id);
    if (size == use.size_bytes) continue;
    const auto why = damage.find(use.id);
    ledger_.find({.loss = true,
                  .object = keys::manifest(use.id),
                  .path = use.path,
                  .message = fmt::format(
                      "{}: this version cannot be read; write the file again from another copy, or "
                      "go back to another version in .versions",
                      size ? fmt::format("a manifest for {} bytes where the version has {}", *size, use.size_bytes)
                      : why != damage.end() ? why->second
                                            : "the manifest is damaged")});
  }
}

// Whether the parent, read again, still names the child: a concurrent rmdir or rename may have taken it away.
bool TreeCheck::still_names(EntryId parent, const std::string& name, EntryId child) const {
  const Load again = load_once(parent);
  if (!again) return true;
  const EntryPtr entry = again->state.find(name);
  return entry && entry->id == child;
}

void TreeCheck::report_directory(EntryId id, const Damage& damage) {
  if (!ledger_.is_damage(damage.error)) return;
  complete_ = false;
  const Parent& parent = directories_.at(id);
  if (id != kRootId && !still_names(parent.directory, parent.name, id)) return;
  ledger_.find({.loss = true,
                .object = damage.object,
                .path = path_of(id),
                .message = fmt::format("{}: nothing in this directory can be reached; {}", damage.error.message(),
                                       damage.error.code() == Errc::no_space
                                           ? "only a mount with more `memory`, and a check with more --memory, can"
                                           : "restore the object from another copy of the store")});
}

// One request for each directory: the listing goes on behind the last record of the one before.
std::vector<EntryId> TreeCheck::stored_directories() {
  std::vector<EntryId> ids;
  std::string after;
  while (!ledger_.stopped()) {
    const auto page = objects_.list(keys::kDirectories, after, 1, context_);
    if (!page) ledger_.stop(page.error());
    if (!page || page->objects.empty()) break;
    EntryId id = 0;
    RecordNumber number = 0;
    if (keys::parse_record(page->objects[0].key, &id, &number)) {
      ids.push_back(id);
      after = keys::directory(id) + "g";
    } else {
      after = page->objects[0].key;
    }
  }
  return ids;
}

std::unordered_set<EntryId> TreeCheck::reachable(EntryId from) const {
  std::unordered_set<EntryId> seen{from};
  std::vector<EntryId> open{from};
  while (!open.empty() && !ledger_.stopped()) {
    const EntryId id = open.back();
    open.pop_back();
    const Load loaded = load_once(id);
    if (!loaded) continue;
    for (const auto& [name, entry] : loaded->state.entries) {
      for (const EntryId child : children_of(*entry)) {
        if (seen.insert(child).second) open.push_back(child);
      }
    }
  }
  return seen;
}

// The directories that no path leads to and that still hold names, each with its entries.
TreeCheck::Orphans TreeCheck::load_orphans() {
  Orphans orphans;
  for (const EntryId id : stored_directories()) {
    if (directories_.contains(id)) continue;
    ledger_.count([](CheckReport& report) { ++report.unreferenced_directories; });
    const Load loaded = load(id);
    if (!loaded || loaded->state.removed || !loaded->state.has_live_entries()) continue;
    Orphan orphan{loaded->state.entries.begin()->first, live_entries(loaded->state), {}};
    for (const auto& [name, entry] : loaded->state.entries) orphan.entries.push_back(entry->id);
    ledger_.remember(kNameBytes + 2 * orphan.entries.size() * sizeof(EntryId));
    orphans.emplace(id, std::move(orphan));
  }
  return orphans;
}

void TreeCheck::report_orphan(EntryId id, const Orphan& orphan) {
  ledger_.find({.loss = true,
                .object = keys::directory(id),
                .path = "",
                .message = fmt::format("a directory with {} names, '{}' among them, that no path leads to: the record "
                                       "that named it is lost; restore that from another copy of the store",
                                       orphan.live_entries, orphan.a_name)});
}

// A directory that cannot be read may hold the name of any other, so then no other can be called lost.
// Of a lost subtree only the top is reported; of directories that lie within each other in a ring, the first.
void TreeCheck::find_orphans() {
  if (!complete_) return;
  Orphans orphans = load_orphans();
  if (orphans.empty() || ledger_.stopped()) return;
  // Made or moved while we were walking, perhaps: the tree as it is now decides.
  for (const EntryId id : reachable(kRootId)) orphans.erase(id);
  std::unordered_set<EntryId> inside;
  for (const auto& [id, orphan] : orphans) inside.insert(orphan.entries.begin(), orphan.entries.end());
  for (const bool tops : {true, false}) {
    std::vector<EntryId> ids;
    for (const auto& [id, orphan] : orphans) {
      if (!tops || !inside.contains(id)) ids.push_back(id);
    }
    for (const EntryId id : ids) {
      const auto orphan = orphans.find(id);
      if (orphan == orphans.end()) continue;
      report_orphan(id, orphan->second);
      for (const EntryId below : reachable(id)) orphans.erase(below);
    }
  }
}

std::optional<TreeCheck::Holding> TreeCheck::holding(EntryId directory, EntryId id) const {
  const Load loaded = load_once(directory);
  if (!loaded) return std::nullopt;
  Holding holding{.newest = loaded->newest};
  for (const auto& [name, entry] : loaded->state.entries) {
    if (entry->id != id || entry->deleted) continue;
    if (holding.names++ == 0) holding.first = entry;
  }
  return holding;
}

// One directory is in memory at a time.
bool TreeCheck::is_duplicate_still(const Duplicate& duplicate) const {
  const auto first = holding(duplicate.first_directory, duplicate.id);
  const auto second = holding(duplicate.second_directory, duplicate.id);
  // Nothing moved from one to the other between the two looks: the first is still as it was after the second.
  const auto again = holding(duplicate.first_directory, duplicate.id);
  if (!first || !second || !again || again->newest != first->newest) return false;
  if (duplicate.first_directory == duplicate.second_directory) return first->names > 1;
  return first->first && second->first && !moves_from(*first->first, duplicate.second_directory) &&
         !moves_from(*second->first, duplicate.first_directory);
}

void TreeCheck::find_duplicates() {
  for (const Duplicate& duplicate : duplicates_) {
    if (ledger_.stopped()) return;
    if (!is_duplicate_still(duplicate)) continue;
    ledger_.find(
        {.loss = false,
         .object = keys::directory(duplicate.second_directory),
         .path = path_of(duplicate.second_directory),
         .message = fmt::format("id {:016x} stands here and in {}: programs may take the two for one file; copy "
                                "one of them to a new name and remove it",
                                duplicate.id, path_of(duplicate.first_directory))});
  }
}

}  // namespace cairn
