// From a file's unpublished bytes to a version in its directory, however long that takes.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/thread.h"
#include "base/turn.h"
#include "base/wait.h"
#include "fs/entry_locks.h"
#include "fs/file_system_control.h"
#include "fs/kept_file.h"
#include "fs/node_table.h"

namespace cairn {

// How long to wait between attempts at a file whose publication failed.
struct RetryDelays {
  std::chrono::nanoseconds first{std::chrono::seconds(1)};
  std::chrono::nanoseconds most{std::chrono::minutes(1)};
};

// Publishes on request. What fails is frozen, kept on this machine as it is, and tried again by a thread of its own
// until it is in the store, also by later processes; never over a version that it was not written on (publish_late),
// and not where only a person can say what is to become of it. docs/decisions/0009-kept-drafts.md says why.
//
// Thread-safety: all methods may be called from any thread. Two publications of one file follow each other; that and
//   `entries` are held over remote calls and can be interrupted, the mutexes are not.
// Ownership: borrows everything. A kept draft's node stays open until it is published.
// Failures of publish: those of sealing and committing. The bytes are then kept, and the failure is counted.
// Durability: publish returns success once the version is in the store.
class Publisher {
 public:
  using OpenDirectory = std::function<Result<std::shared_ptr<Directory>>(EntryId, const RequestContext&)>;

  Publisher(ByteSources sources, NodeTable& nodes, EntryLocks& entries, OpenDirectory open_directory,
            RetryDelays delays = {});
  ~Publisher();

  // Nothing to do if all is published or the file is unlinked. `session`: Version::session of
  // store/format/entry.h.
  Result<void> publish(const FileNodePtr& node, uint64_t session, const RequestContext& context);

  // The same for a file that somebody goes on writing, whom nothing was promised: a failure keeps nothing, and what is
  // kept already is left to its retries. False: there was nothing to do.
  Result<bool> publish_open(const FileNodePtr& node, const RequestContext& context);

  // The last descriptor goes: publish what nobody has tried to publish yet.
  void publish_at_release(const FileNodePtr& node, uint64_t session);

  // A draft that an earlier process left. What waits is placed and shown now if the store answers, and tried at once,
  // in the background.
  void adopt(KeptDraft draft, const RequestContext& context);
  // One attempt at each draft that waits. The first failure.
  Result<void> publish_waiting(const RequestContext& context);

  // Whose bytes a draft of `node` has, for Draft::note; "" once it is unlinked.
  [[nodiscard]] std::string identify(const FileNode& node) const;

  // This host has moved the file to another place, or has unlinked it.
  void moved(const FileNodePtr& node);
  void unlinked(const FileNodePtr& node);
  // Its name is another file's: what is kept is for a person to decide about.
  void replaced(const FileNodePtr& node);

  // No more attempts in the background; interrupts the one under way.
  void stop();

  // By number.
  [[nodiscard]] std::vector<KeptFile> kept() const;

  // What people ask for. Failures: not_found: no such draft; those of publishing and reading.
  Result<void> publish_kept(uint64_t number, const RequestContext& context);
  Result<void> discard_kept(uint64_t number);
  // Its bytes, readable for as long as the caller has them.
  Result<std::shared_ptr<Draft>> open_kept(uint64_t number, const RequestContext& context);

 private:
  enum class Wins { always, over_its_base };  // publish_version, publish_late

  Result<void> attempt(const FileNodePtr& node, uint64_t session, const RequestContext& context);
  Result<void> attempt_kept(const KeptFile& kept, Wins wins, const RequestContext& context);
  Result<void> follow_move(const FileNodePtr& node, const RequestContext& context);
  Result<void> commit(const FileNodePtr& node, const VersionPtr& version, const RequestContext& context);
  Result<void> commit_late(const KeptFile& kept, const VersionPtr& version, const RequestContext& context);
  void note_published(FileNode& node, const std::shared_ptr<Draft>& draft, const VersionPtr& version);
  void tell_where(const KeptFile& kept, const VersionPtr& version) const;

  void keep(const FileNodePtr& node, uint64_t session, const Error& error);
  [[nodiscard]] KeptIdentity identity_of(const FileNode& node) const;
  void describe(uint64_t number);
  void forget(uint64_t number);
  void forget_published(const FileNode& node, const std::shared_ptr<Draft>& draft, uint64_t session);
  [[nodiscard]] std::vector<uint64_t> kept_of(const FileNode& node) const;
  [[nodiscard]] std::optional<KeptFile> find(uint64_t number) const;
  void failed(const KeptFile& kept, const Error& error);
  void undecided(uint64_t number, const std::string& why);

  Result<std::shared_ptr<Draft>> opened(uint64_t number, const RequestContext& context);
  Result<void> place(uint64_t number, const RequestContext& context);
  void show(const KeptFile& kept, const EntryPtr& entry);
  Result<void> place_and_attempt(uint64_t number, const RequestContext& context);

  void run(const std::stop_token& stop);
  void retry(uint64_t number, const std::stop_token& stop);

  const ByteSources sources_;
  NodeTable& nodes_;
  EntryLocks& entries_;
  EntryLocks turns_;
  const OpenDirectory open_directory_;
  const RetryDelays delays_;

  Mutex describing_;  // orders describing and releasing what is kept, which is local; taken before mutex_
  Turn opening_;      // a draft at rest is opened and placed by one thread
  mutable Mutex mutex_;
  Condition changed_;
  std::map<uint64_t, KeptFile> kept_ CAIRN_GUARDED_BY(mutex_);  // by number
  bool kicked_ CAIRN_GUARDED_BY(mutex_) = false;                // kept_ has something newly due
  Thread thread_;                                               // last: it uses all of the above
};

}  // namespace cairn
