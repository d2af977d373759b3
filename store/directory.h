// One directory of the store: its current state, and the commits that change it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/request_context.h"
#include "store/entry.h"
#include "store/environment.h"

namespace cairn {

// The contents of a directory at one record. Deleted entries are listed too, with Entry::deleted set.
struct DirectoryState {
  Attributes attributes;
  bool removed = false;
  std::map<std::string, EntryPtr, std::less<>> entries;

  // The entry under `name` if it is live, else nullptr.
  [[nodiscard]] EntryPtr find(std::string_view name) const;
  [[nodiscard]] bool has_live_entries() const;
};

// A change in the making: a state with alterations on top. What a Mutation sees and writes to.
class DirectoryEdit {
 public:
  explicit DirectoryEdit(const DirectoryState& under) : under_(under) {}

  // Live entry or nullptr; find_any also sees deleted ones.
  [[nodiscard]] EntryPtr find(std::string_view name) const;
  [[nodiscard]] EntryPtr find_any(std::string_view name) const;
  [[nodiscard]] const Attributes& attributes() const;
  [[nodiscard]] bool removed() const;
  [[nodiscard]] bool has_live_entries() const;

  void put(const std::string& name, Entry entry);
  // The name becomes free. A file that was ever published, or a directory, leaves its history (Entry::deleted).
  void remove(const std::string& name, Nanos now);
  // The name goes with its history: it moved away with the entry.
  void forget(const std::string& name);
  void set_attributes(Attributes attributes);
  void set_removed(bool removed);

  using Changes = std::map<std::string, EntryPtr, std::less<>>;  // nullptr: forgotten
  [[nodiscard]] const Changes& changes() const { return changes_; }
  [[nodiscard]] const std::optional<Attributes>& changed_attributes() const { return attributes_; }
  [[nodiscard]] bool empty() const;
  void apply_to(DirectoryState& state) const;

 private:
  const DirectoryState& under_;
  Changes changes_;
  std::optional<Attributes> attributes_;
  std::optional<bool> removed_;
};

// A change as a function of the state it finds, run again on the newer state when another host was first. It must
// check everything it needs before it writes anything, take times and ids from its captures, not from the world, and
// give the same result on the same state.
using Mutation = std::function<Result<void>(DirectoryEdit&)>;

// The local view is the last known record of the store with this host's pending changes replayed on top.
//
// Thread-safety: all methods may be called from any thread. No lock is held over a remote call, except that one
//   thread at a time commits.
// Ownership: shared; keeps a reference to its StoreEnvironment, which must outlive it.
// Failures: each mutation's own; corrupt (a record that does not check); those of ObjectStore; not_found once the
//   directory is removed.
// Durability: commit() and flush() return once the record is in the store; commit_soon() before.
class Directory {
 public:
  // The newest record of `id`, by one listing and the records its snapshot needs. Failures: not_found (no records).
  static Result<std::shared_ptr<Directory>> load(StoreEnvironment& environment, EntryId id,
                                                 const RequestContext& context);
  // A new directory with its first record in the store, under a fresh id.
  static Result<std::shared_ptr<Directory>> create(StoreEnvironment& environment, const Attributes& attributes,
                                                   const RequestContext& context);
  ~Directory();

  [[nodiscard]] EntryId id() const;

  // Makes sure the view includes every record that was in the store `max_age` ago: asks for the next number unless
  // that was done more recently.
  Result<void> refresh(std::chrono::nanoseconds max_age, const RequestContext& context);
  // How long ago the store was last asked: bounds how long the kernel may keep what it is told now.
  [[nodiscard]] std::chrono::nanoseconds age() const;

  // The local view, never waiting for the remote.
  [[nodiscard]] EntryPtr find(std::string_view name) const;
  [[nodiscard]] EntryPtr find_any(std::string_view name) const;
  [[nodiscard]] Attributes attributes() const;
  [[nodiscard]] bool removed() const;
  // Live entries, a copy: what one opendir sees.
  [[nodiscard]] std::vector<std::pair<std::string, EntryPtr>> list() const;
  [[nodiscard]] DirectoryState state() const;

  // Applies `mutation`, and returns once it is in the store, together with all that was pending before it. Concurrent
  // callers share records (group commit).
  Result<void> commit(Mutation mutation, const RequestContext& context);
  // Applies `mutation` to the local view now; the store follows within StoreOptions::commit_delay. If another host's
  // change makes it fail by then, it is dropped, logged and counted.
  Result<void> commit_soon(Mutation mutation);
  // Commits what is pending.
  Result<void> flush(const RequestContext& context);
  // When the oldest pending change is due; nullopt when nothing is pending.
  [[nodiscard]] std::optional<SteadyTime> due() const;

 private:
  Directory(StoreEnvironment& environment, EntryId id);
};

}  // namespace cairn
