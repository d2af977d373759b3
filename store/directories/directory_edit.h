// A change of a directory in the making.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/format/directory_state.h"

namespace cairn {

// A state with alterations on top. Mutations read it and write to it; a directory's local view is one.
// Thread-safety: none. Ownership: borrows the state, which must not change while the edit has alterations.
class DirectoryEdit {
 public:
  explicit DirectoryEdit(const DirectoryState& under) : under_(under) {}

  // Live entry or nullptr; find_any also sees deleted ones.
  [[nodiscard]] EntryPtr find(std::string_view name) const;
  [[nodiscard]] EntryPtr find_any(std::string_view name) const;
  // Live entries, by name.
  [[nodiscard]] std::vector<std::pair<std::string, EntryPtr>> list() const;
  [[nodiscard]] const Attributes& attributes() const;
  [[nodiscard]] bool removed() const;
  [[nodiscard]] bool has_live_entries() const;

  void put(const std::string& name, Entry entry);
  // The name becomes free. An entry with a history leaves that behind, and a directory its id (Entry::deleted).
  void remove(const std::string& name, Nanos now);
  // The name goes with its history: it moved away with the entry.
  void forget(const std::string& name);
  void set_attributes(Attributes attributes);
  // The directory's names changed now: sets its mtime and ctime. Part of every such mutation.
  void touch(Nanos now);
  void set_removed(bool removed);

  [[nodiscard]] const DirectoryChanges& changes() const { return changes_; }
  [[nodiscard]] const std::optional<Attributes>& changed_attributes() const { return attributes_; }
  [[nodiscard]] bool empty() const;
  void apply_to(DirectoryState& state) const;

 private:
  const DirectoryState& under_;
  DirectoryChanges changes_;
  std::optional<Attributes> attributes_;
  std::optional<bool> removed_;
};

// A change as a function of the state it finds, run again whenever that state changes under it: to show it in the local
// view, to build a record, and on the newer state when another host was first. It must check everything it needs before
// it writes anything, take times and ids from its captures, not from the world, and give the same result on the same
// state. It runs under the directory's lock, so it must be quick and must not call a Directory.
using Mutation = std::function<Result<void>(DirectoryEdit&)>;

}  // namespace cairn
