#include "store/format/directory_state.h"

#include <algorithm>

namespace cairn {

namespace {

// What the messages and the objects made of them take besides the bytes of names and values.
constexpr uint64_t kEntryBytes = 448;
constexpr uint64_t kVersionBytes = 320;
constexpr uint64_t kXattrBytes = 160;
constexpr uint64_t kChunkBytes = 256;  // a segment each, at worst

struct ContentWeight {
  uint64_t operator()(const SharedBuffer& bytes) const { return bytes ? bytes->size() : 0; }
  uint64_t operator()(const Digest& digest) const { return digest.bytes.size(); }
  uint64_t operator()(const ManifestPtr& manifest) const { return kChunkBytes * manifest->chunks().size(); }
};

uint64_t weight_of(const Attributes& attributes) {
  uint64_t total = 0;
  for (const auto& [name, value] : attributes.xattrs) total += kXattrBytes + name.size() + value.size();
  return total;
}

}  // namespace

uint64_t weight_bytes(std::string_view name, const Entry& entry) {
  uint64_t total = kEntryBytes + name.size() + entry.target.size() + weight_of(entry.attributes);
  for (const VersionPtr& version : entry.versions) {
    total += kVersionBytes + version->host.size() + std::visit(ContentWeight{}, version->content);
  }
  if (entry.move && entry.move->replacement) total += weight_bytes(entry.move->name, *entry.move->replacement);
  return total;
}

EntryPtr live(EntryPtr entry) { return entry && !entry->deleted ? std::move(entry) : nullptr; }

bool is_live(const EntryPtr& entry) { return entry && !entry->deleted; }

void DirectoryState::apply(const DirectoryChanges& changes) {
  for (const auto& [name, entry] : changes) {
    const auto before = entries.find(name);
    if (before != entries.end()) weight -= weight_bytes(name, *before->second);
    if (entry) {
      weight += weight_bytes(name, *entry);
      entries.insert_or_assign(name, entry);
    } else if (before != entries.end()) {
      entries.erase(before);
    }
  }
}

void DirectoryState::replace(const DirectoryChanges& all) {
  entries = all;  // at once, which takes over the nodes that are there
  weight = 0;
  for (const auto& [name, entry] : entries) weight += weight_bytes(name, *entry);
}

EntryPtr DirectoryState::find_any(std::string_view name) const {
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : found->second;
}

EntryPtr DirectoryState::find(std::string_view name) const { return live(find_any(name)); }

bool DirectoryState::has_live_entries() const {
  return std::any_of(entries.begin(), entries.end(), [](const auto& named) { return is_live(named.second); });
}

}  // namespace cairn
