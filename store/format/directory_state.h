// What a directory holds, and what a record changes of it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "store/format/entry.h"

namespace cairn {

// Whether there is an entry and it is not a deleted one.
[[nodiscard]] bool is_live(const EntryPtr& entry);
// `entry` if it is live, else nullptr.
[[nodiscard]] EntryPtr live(EntryPtr entry);

// The names that change, each with its new entry; nullptr: the name goes, with its history.
using DirectoryChanges = std::map<std::string, EntryPtr, std::less<>>;

// About what `entry` takes of a snapshot, and of memory while one is read: no less than either. Neither deleting it nor
// anything else that only takes away makes it more.
[[nodiscard]] uint64_t weight_bytes(std::string_view name, const Entry& entry);

// The contents of a directory at one record. Deleted entries are listed too, with Entry::deleted set.
struct DirectoryState {
  Attributes attributes;
  bool removed = false;
  std::map<std::string, EntryPtr, std::less<>> entries;
  uint64_t weight = 0;  // of all entries; kept by apply() and replace()

  void apply(const DirectoryChanges& changes);
  // Takes over all that a snapshot lists.
  void replace(const DirectoryChanges& all);

  // The entry under `name` if it is live, else nullptr.
  [[nodiscard]] EntryPtr find(std::string_view name) const;
  // The same, deleted ones included.
  [[nodiscard]] EntryPtr find_any(std::string_view name) const;
  [[nodiscard]] bool has_live_entries() const;
};

}  // namespace cairn
