#include "store/format/directory_state.h"

#include <algorithm>

namespace cairn {

EntryPtr live(EntryPtr entry) { return entry && !entry->deleted ? std::move(entry) : nullptr; }

bool is_live(const EntryPtr& entry) { return entry && !entry->deleted; }

EntryPtr DirectoryState::find_any(std::string_view name) const {
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : found->second;
}

EntryPtr DirectoryState::find(std::string_view name) const { return live(find_any(name)); }

bool DirectoryState::has_live_entries() const {
  return std::any_of(entries.begin(), entries.end(), [](const auto& named) { return is_live(named.second); });
}

}  // namespace cairn
