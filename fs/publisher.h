// From a file's unpublished bytes to a version in its directory, however long that takes.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/thread.h"
#include "base/turn.h"
#include "base/wait.h"
#include "fs/close_queue.h"
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
// With StoreOptions::commit_async a publication is kept briefly and gets a place in a queue; a thread of its own takes
// from there what is next and of one directory, and commits it in one record.
// docs/decisions/0010-commit-async.md says why.
//
// Thread-safety: all methods may be called from any thread. Two publications of one file follow each other; that and
//   `entries` are held over remote calls and can be interrupted, the mutexes are not.
// Ownership: borrows everything. A kept draft's node stays open until it is published.
// Failures of publish: those of sealing and committing. The bytes are then kept, and the failure is counted.
// Durability: publish returns success once the version is in the store, or with commit_async on this machine's disk.
class Publisher {
 public:
  using OpenDirectory = std::function<Result<std::shared_ptr<Directory>>(EntryId, const RequestContext&)>;
  using BytesChange = std::function<void(NodeId)>;  // the node shows other bytes than it did

  Publisher(ByteSources sources, NodeTable& nodes, EntryLocks& entries, OpenDirectory open_directory,
            BytesChange bytes_change, RetryDelays delays = {});
  ~Publisher();

  // Nothing to do if all is published or the file is unlinked. `session`: Version::session of
  // store/format/entry.h.
  Result<void> publish(const FileNodePtr& node, uint64_t session, const RequestContext& context);

  // The same for a file that somebody goes on writing, whom nothing was promised: a failure keeps nothing, and what is
  // kept already is left to its retries. False: there was nothing to do.
  Result<bool> publish_open(const FileNodePtr& node, const RequestContext& context);

  // A change of a directory that nobody waits for: Directory::commit_soon, or with commit_async in order with the
  // closes.
  Result<void> change_soon(const std::shared_ptr<Directory>& directory, Mutation mutation);
  // Everything that was closed or changed before is in the store when it returns; with commit_async, else at once.
  // Failures: that of the next attempt at it.
  Result<void> drain(const RequestContext& context);
  // The failure of a publication of `node` in the background of which nobody has been told; once.
  Result<void> tell(const FileNode& node);
  // Of any file.
  Result<void> tell_all();

  // The last descriptor goes: publish what nobody has tried to publish yet.
  void publish_at_release(const FileNodePtr& node, uint64_t session);

  // The drafts that earlier processes left, before anybody else uses this. What waits is placed and shown now if the
  // store answers, and tried at once, in the background.
  void adopt(std::vector<KeptDraft> drafts, const RequestContext& context);
  // One attempt at each draft that waits. The first failure.
  Result<void> publish_waiting(const RequestContext& context);

  // Whose bytes a draft of `node` has, for Draft::note; "" once it is unlinked.
  [[nodiscard]] std::string identify(const FileNode& node) const;

  // This host has moved the file to another place, or has unlinked it.
  void moved(const FileNodePtr& node);
  void unlinked(const FileNodePtr& node);
  // This host has changed its owner or mode: what is kept of a file that the store has not heard of has them, too.
  void attributes_changed(const FileNode& node);
  // Its name is another file's: what is kept is for a person to decide about.
  void replaced(const FileNodePtr& node);

  // No more attempts in the background; interrupts the one under way.
  void stop();

  // By number.
  [[nodiscard]] std::vector<KeptFile> kept() const;
  [[nodiscard]] CloseQueue::Counts queued() const { return queue_.counts(); }

  // What people ask for. Failures: not_found: no such draft; those of publishing and reading.
  Result<void> publish_kept(uint64_t number, const RequestContext& context);
  Result<void> discard_kept(uint64_t number);
  // Its bytes, readable for as long as the caller has them.
  Result<std::shared_ptr<Draft>> open_kept(uint64_t number, const RequestContext& context);

 private:
  // Of closes that wait together, how many are sealed at once.
  static constexpr size_t kSealers = 8;
  enum class Wins { always, over_its_base };  // publish_version, publish_late

  // One place of the queue on its way into the store.
  struct Publication {
    CloseQueue::Place place;
    std::optional<KeptFile> kept;  // nullopt: changes, or a draft that is no longer kept
    VersionPtr version;
    Result<void> outcome;
  };

  Result<void> attempt(const FileNodePtr& node, uint64_t session, const RequestContext& context);
  Result<void> attempt_kept(const KeptFile& kept, Wins wins, const RequestContext& context);
  Result<void> follow_move(const FileNodePtr& node, const RequestContext& context);
  Result<void> commit(const FileNodePtr& node, const VersionPtr& version, const RequestContext& context);
  Result<void> commit_late(const KeptFile& kept, const VersionPtr& version, const RequestContext& context);
  Result<VersionPtr> seal_kept(const KeptFile& kept, const RequestContext& context);
  [[nodiscard]] Mutation publication(const FileView& view, const VersionPtr& version) const;
  [[nodiscard]] Mutation late_publication(const KeptFile& kept, const FileView& view, const VersionPtr& version) const;
  void note_published(FileNode& node, const std::shared_ptr<Draft>& draft, const VersionPtr& version);
  void tell_where(const KeptFile& kept, const VersionPtr& version) const;

  void keep(const FileNodePtr& node, uint64_t session, const Error& error);
  KeptFile& add_kept(const FileNodePtr& node, const FileBytes::Frozen& frozen) CAIRN_REQUIRES(mutex_);

  // publisher_queue.cpp
  [[nodiscard]] bool in_order() const { return sources_.environment.options.commit_async; }
  Result<void> close_in_order(const FileNodePtr& node, uint64_t session, const RequestContext& context);
  std::optional<KeptFile> enter_queue(const FileNodePtr& node, uint64_t session);
  Result<void> keep_in_queue(const KeptFile& kept, const RequestContext& context);
  void await_kept(uint64_t number);
  void run_queue(const std::stop_token& stop);
  Result<void> publish_run(const std::vector<CloseQueue::Place>& run, const RequestContext& context);
  Result<std::vector<EntryLocks::Held>> lock_files(EntryLocks& locks, const std::vector<Publication>& run,
                                                   const RequestContext& context) const;
  void find_kept(std::vector<Publication>& run, const RequestContext& context);
  void seal_run(std::vector<Publication>& run, const RequestContext& context);
  Result<void> trim(std::vector<Publication>& run) const;
  [[nodiscard]] std::shared_ptr<Directory> directory_of(const Publication& publication) const;
  [[nodiscard]] Mutation publication_of_close(const KeptFile& kept, const FileView& view,
                                              const VersionPtr& version) const;
  void commit_run(std::vector<Publication>& run, const RequestContext& context);
  Result<void> conclude(const Publication& publication);
  void failed_in_queue(const KeptFile& kept, const Error& error);

  [[nodiscard]] KeptIdentity identity_of(const FileNode& node) const;
  void describe(uint64_t number);
  void forget(uint64_t number);
  void forget_published(const FileNode& node, const std::shared_ptr<Draft>& draft, uint64_t session);
  [[nodiscard]] std::vector<uint64_t> kept_of(const FileNode& node) const;
  [[nodiscard]] std::optional<KeptFile> find(uint64_t number) const;
  void failed(const KeptFile& kept, const Error& error);
  void undecided(uint64_t number, const std::string& why);
  [[nodiscard]] bool is_listed(const FileNode& node) const;
  [[nodiscard]] bool is_pending(const FileNode& node) const;
  void stamp(uint64_t number);
  Result<void> publish_anew(const KeptFile& kept, const RequestContext& context);
  void make_anew(uint64_t number);
  void hide(const KeptFile& kept);

  [[nodiscard]] std::optional<KeptFile> left_by_earlier(KeptDraft draft) const;
  void wait_again(KeptFile file, const RequestContext& context);
  Result<std::shared_ptr<Draft>> opened(uint64_t number, const RequestContext& context);
  FileNodePtr open_to_show(const NodePlace& place, const EntryPtr& entry);
  Result<void> place(uint64_t number, const RequestContext& context);
  void list_again(const KeptFile& kept, Directory& directory) const;
  void unlist(const FileNodePtr& node);
  void show(const KeptFile& kept, const EntryPtr& entry);
  Result<void> place_and_attempt(uint64_t number, const RequestContext& context);

  void run(const std::stop_token& stop);
  void retry(uint64_t number, const std::stop_token& stop);

  const ByteSources sources_;
  NodeTable& nodes_;
  EntryLocks& entries_;
  EntryLocks turns_;
  const OpenDirectory open_directory_;
  const BytesChange bytes_change_;
  const RetryDelays delays_;

  Mutex describing_;  // orders describing and releasing what is kept, which is local; taken before mutex_
  Turn opening_;      // a draft at rest is opened and placed by one thread
  mutable Mutex mutex_;
  Condition changed_;
  std::map<uint64_t, KeptFile> kept_ CAIRN_GUARDED_BY(mutex_);  // by number
  bool kicked_ CAIRN_GUARDED_BY(mutex_) = false;                // kept_ has something newly due
  size_t untold_ CAIRN_GUARDED_BY(mutex_) = 0;                  // how many of kept_ are
  Condition written_;                                           // somebody is no longer being_kept
  Executor sealers_;                                            // what is queued is sealed side by side
  CloseQueue queue_;
  Thread queue_thread_;
  Thread thread_;  // last: it uses all of the above
};

}  // namespace cairn
