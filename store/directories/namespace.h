// All directories of a store, and the operations that touch more than one of them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "store/directories/background_committer.h"
#include "store/directories/directory.h"
#include "store/directories/leaving.h"

namespace cairn {

struct Departure;

enum class RenameMode { replace, no_replace, exchange };

// One end of a rename.
struct Place {
  std::shared_ptr<Directory> directory;
  std::string name;
};

// Thread-safety: all methods may be called from any thread.
// Ownership: a directory stays loaded while somebody holds it or it has pending changes; some stay longer.
// Failures and Durability: as Directory's; make_directory, remove_directory and rename are durable when they return.
// Errors that POSIX distinguishes carry Error::posix (ENOTEMPTY, EISDIR, ENOTDIR, EINVAL).
class Namespace {
 public:
  explicit Namespace(StoreEnvironment& environment);
  // Commits what is pending within StoreOptions::operation_timeout; call stop() first to choose the time.
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  // The one Directory object of this process for `id`, loaded on first use. Completes moves it finds half done.
  // Failures: not_found (also: removed).
  Result<std::shared_ptr<Directory>> open(EntryId id, const RequestContext& context);
  // The directory under `name`. A name whose directory is removed, as an rmdir leaves it that stopped half way, is
  // freed and not_found. Failures: ENOTDIR.
  Result<std::shared_ptr<Directory>> open_child(Directory& parent, const std::string& name,
                                                const RequestContext& context);

  // The new directory's entry, committed. Failures: already_exists.
  Result<Entry> make_directory(Directory& parent, const std::string& name, const Attributes& attributes,
                               const RequestContext& context);
  // Retires the child (no more entries), then frees the name. Failures: not_found, ENOTEMPTY, ENOTDIR.
  Result<void> remove_directory(Directory& parent, const std::string& name, const RequestContext& context);

  // rename(2) with its flags. Within one directory: one commit. Between two: the target's record carries a Move and is
  // the point of no return, the source's follows; a crash in between is completed by the next host that loads the
  // target. Replacing a file puts the old history in front of the new file's; replacing an empty directory retires it
  // first. Failures: EINVAL for a directory into itself.
  // For a directory that goes to another one, `walk` looks whether it would be inside itself or somebody has moved what
  // it lies below, as often as another such move comes in between. The source's record is then the point of no return.
  Result<void> rename(const Place& from, const Place& to, RenameMode mode, const RequestContext& context,
                      const AncestryWalk& walk = {});
  // A step of such a walk: `child` stands in `parent`, by what the store says now, under `name` or another, and is not
  // about to leave. Moves that are met on the way are completed or called off.
  // Failures: ESTALE (it is not there), EINVAL (it is what moves by `attempt`), conflict (its move goes first).
  Result<void> confirm_link(const std::shared_ptr<Directory>& parent, const std::string& name, EntryId child,
                            uint64_t attempt, const RequestContext& context);

  // Commits everything pending anywhere; the first error, after trying all. What was pending in a directory that
  // another host has removed meanwhile is moot, and no error.
  Result<void> flush(const RequestContext& context);
  // flush(), then no more background commits.
  Result<void> stop(const RequestContext& context);

  // Directories with pending changes, for status.
  [[nodiscard]] size_t pending_directories() const;

 private:
  // A try to move `source` to another directory.
  struct Crossing {
    EntryPtr source;
    EntryPtr partner;       // what an exchange moves the other way
    uint64_t attempt = 0;   // not 0: a directory moves
    bool was_sent = false;  // the target's record is, or may yet be, in the store
  };

  // namespace.cpp
  struct Opened {
    std::shared_ptr<Directory> directory;
    bool is_new = false;
  };
  Result<Opened> find_or_load(EntryId id, const RequestContext& context);
  Opened adopt(std::shared_ptr<Directory> directory);
  void keep_recent(const std::shared_ptr<Directory>& directory) CAIRN_REQUIRES(mutex_);
  void forget_expired() CAIRN_REQUIRES(mutex_);
  Result<void> retire(EntryId id, const RequestContext& context);
  Result<void> tend(Directory& directory, const RequestContext& context);

  // rename.cpp
  Result<void> rename_within(const Place& from, const std::string& to, RenameMode mode, const RequestContext& context);
  Result<void> rename_across(const Place& from, const Place& to, RenameMode mode, const AncestryWalk& walk,
                             const RequestContext& context);
  Result<void> cross(const Place& from, const Place& to, RenameMode mode, const AncestryWalk& walk, unsigned tries,
                     const RequestContext& context);
  Result<void> arrive_and_depart(const Place& from, const Place& to, Crossing& crossing, RenameMode mode,
                                 const RequestContext& context);
  Result<EntryPtr> committed_source(const Place& from, const RequestContext& context);
  Result<std::optional<EntryId>> make_way(const Place& to, const Entry& source, RenameMode mode,
                                          const RequestContext& context);
  Result<void> depart(const Place& from, const Place& to, const EntryPtr& source, const RequestContext& context);
  Result<void> see_through(const Place& from, const Place& to, const EntryPtr& source, const RequestContext& context);

  // crossing.cpp: what comes before a directory's rename to another.
  Result<void> announce_and_look(const Place& from, const Place& to, const Crossing& crossing, const AncestryWalk& walk,
                                 const RequestContext& context);
  static void take_back(const Place& from, const Place& to, const Crossing& crossing);
  Result<void> meet(Directory& parent, const std::string& name, const Entry& leaver, uint64_t attempt,
                    const RequestContext& context);
  bool has_stood_long(const Entry& leaver);
  Result<void> back_off(unsigned tries, const RequestContext& context);

  // move.cpp: the second half of renames between directories.
  Result<void> finish_move(Directory& target, const std::string& name, const RequestContext& context);
  Result<std::shared_ptr<Directory>> fresh_source(const Move& move, const RequestContext& context);
  static Result<void> clear_counterpart(Directory& source, EntryId target, EntryId id, const RequestContext& context);
  Result<void> depart_late(Directory& target, const std::string& name, const Entry& seen, Directory& source,
                           const EntryPtr& left, const RequestContext& context);
  Result<void> undo_arrival(Directory& target, const std::string& name, const Entry& seen,
                            const RequestContext& context);
  [[nodiscard]] Departure departure_of(const Directory& target, const std::string& name, const Entry& moved,
                                       const EntryPtr& left) const;
  Result<void> finish_moves(Directory& target, const RequestContext& context);

  StoreEnvironment& environment_;
  const std::shared_ptr<BackgroundCommitter> committer_;

  Mutex mutex_;
  std::unordered_map<EntryId, std::weak_ptr<Directory>> known_ CAIRN_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Directory>> recent_ CAIRN_GUARDED_BY(mutex_);  // the latest first
  // When a notice of a smaller attempt, by its directory and attempt, was first met here.
  std::map<std::pair<EntryId, uint64_t>, SteadyTime> notices_ CAIRN_GUARDED_BY(mutex_);
  size_t sweep_at_ CAIRN_GUARDED_BY(mutex_);  // the size of known_ to clean up at
};

}  // namespace cairn
