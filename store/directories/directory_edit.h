// A change of a directory in the making.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
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
  // `most_weight`: how far the directory may grow, see check_room().
  explicit DirectoryEdit(const DirectoryState& under, uint64_t most_weight = std::numeric_limits<uint64_t>::max())
      : under_(under), most_weight_(most_weight), weight_(under.weight) {}

  // Live entry or nullptr; find_any also sees deleted ones.
  [[nodiscard]] EntryPtr find(std::string_view name) const;
  [[nodiscard]] EntryPtr find_any(std::string_view name) const;
  // Live entries, by name; list_any also has the deleted ones.
  [[nodiscard]] std::vector<std::pair<std::string, EntryPtr>> list() const;
  [[nodiscard]] std::vector<std::pair<std::string, EntryPtr>> list_any() const;
  [[nodiscard]] const Attributes& attributes() const;
  [[nodiscard]] bool removed() const;
  [[nodiscard]] bool has_live_entries() const;
  [[nodiscard]] bool has_marks() const;

  // Whether `entry` may stand under `name`: a directory grows only as far as this host could read it anew. Asked by
  // whatever users can make a directory larger with, before it writes. What makes it no larger always may, also where
  // it is too large already. Failures: ENOSPC.
  [[nodiscard]] Result<void> check_room(const std::string& name, const Entry& entry) const;

  // Every taker of a name goes through these, and none of them loses a move's mark (Entry::move): under the same id it
  // stays on the entry; where another id takes the name, what was there goes on as a deleted entry under a name beside
  // it, until the move is completed. Only unmark() lets go of a mark.
  void put(const std::string& name, Entry entry);
  // What `taker`, who is about to get the name, goes on with: the entry under it, for its history; nullptr if there is
  // none, or if it was more private than the taker is: another owner's, or readable by fewer. It then goes beside the
  // name as a deleted entry, "<name>.~before-<id>", with the access that it had. Root may take over anybody's.
  EntryPtr history_for(const std::string& name, const Entry& taker, Nanos now);
  // The name becomes free. An entry with a history leaves that behind, and a directory its id (Entry::deleted).
  void remove(const std::string& name, Nanos now);
  // The name goes with its history: it moved away with the entry. With a mark it becomes a deleted entry.
  void forget(const std::string& name);
  // What stands under the name leaves it whole, mark and all, for the caller to put elsewhere in this directory.
  EntryPtr take(const std::string& name);
  // The move has been completed. A deleted entry that has no history besides goes.
  void unmark(const std::string& name);
  // Puts `entry` where people see it: under `name` with the history that was left there, or if that is taken under a
  // name beside it, "<name>.~exchanged-<id>".
  void put_visibly(const std::string& name, const Entry& entry, size_t keep_versions);
  // The directory `gone` has left `name` by the attempt that it carries. Where another one was called off, that is to
  // be told from it for as long as deleted names are remembered: by a deleted entry beside it, "<name>.~left-<id>".
  void leave_trace(const std::string& name, const Entry& gone, Nanos now);
  void set_attributes(Attributes attributes);
  // The directory's names changed now: sets its mtime and ctime. Part of every such mutation.
  void touch(Nanos now);
  void set_removed(bool removed);

  [[nodiscard]] const DirectoryChanges& changes() const { return changes_; }
  [[nodiscard]] const std::optional<Attributes>& changed_attributes() const { return attributes_; }
  [[nodiscard]] bool empty() const;
  void apply_to(DirectoryState& state) const;

 private:
  [[nodiscard]] bool may_go_on(const Entry& before, const Entry& taker) const;
  void assign(const std::string& name, Entry entry);
  void erase(const std::string& name);
  // "<name>.~<why>-<id>", shortened or numbered where it must be.
  [[nodiscard]] std::string name_beside(const std::string& name, std::string_view why, EntryId id) const;

  [[nodiscard]] uint64_t weight_under(const std::string& name) const;

  const DirectoryState& under_;
  const uint64_t most_weight_;
  uint64_t weight_;  // of the state with the alterations
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
