// From a file's unpublished bytes to a version in its directory, however long that takes.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/thread.h"
#include "base/wait.h"
#include "fs/entry_locks.h"
#include "fs/file_system_control.h"
#include "fs/kept_identity.h"
#include "fs/node_table.h"

namespace cairn {

// How long to wait between attempts at a file whose publication failed.
struct RetryDelays {
  std::chrono::nanoseconds first{std::chrono::seconds(1)};
  std::chrono::nanoseconds most{std::chrono::minutes(1)};
};

// Publishes on request; a draft that fails is kept on this machine and tried again by a thread of its own until it is
// in the store, also by later processes.
//
// Thread-safety: all methods may be called from any thread. A file's publication turn and its entry lock are held over
//   remote calls, and waiting for them can be interrupted; mutex_ is held over none.
// Ownership: borrows everything. The node and the bytes of a file with a kept draft stay open until it is published.
// Failures of publish: those of sealing and committing. The draft is then kept, and the failure is counted.
// Durability: publish returns success once the version is in the store.
class Publisher {
 public:
  Publisher(ByteSources sources, NodeTable& nodes, EntryLocks& entries, RetryDelays delays = {});
  ~Publisher();

  // Nothing to do if all is published or the file is unlinked. `session`: Version::session of
  // store/format/entry.h.
  Result<void> publish(const FileNodePtr& node, uint64_t session, const RequestContext& context);

  // The last descriptor goes: publish, unless that has just failed; then the draft is kept with its newest bytes.
  void publish_at_release(const FileNodePtr& node, uint64_t session);

  // A draft that an earlier process kept, in the place that `node` stands for: tried at once, in the background.
  void adopt(const FileNodePtr& node, const KeptIdentity& identity);

  // This host has moved the file to another place, or has unlinked it.
  void moved(const FileNodePtr& node);
  void unlinked(const FileNodePtr& node);

  // No more attempts in the background; interrupts the one under way.
  void stop();

  [[nodiscard]] std::vector<UnpublishedFile> kept() const;

 private:
  // A file whose draft is kept, and when it is tried again.
  struct Kept {
    FileNodePtr node;
    uint64_t session = 0;
    std::string path;
    std::string error;
    std::chrono::nanoseconds delay{0};
    SteadyTime due;
  };

  Result<void> attempt(const FileNodePtr& node, uint64_t session, const RequestContext& context);
  Result<void> commit(const FileNodePtr& node, const VersionPtr& version, const RequestContext& context);
  void note_published(FileNode& node, const FileView& view, const VersionPtr& version);
  void keep(const FileNodePtr& node, uint64_t session, const Error& error);
  void describe(const FileNodePtr& node, uint64_t session);
  void forget_kept(const FileNode& node);
  [[nodiscard]] bool is_kept(const FileNode& node) const;
  void run(const std::stop_token& stop);
  void retry(const Kept& kept, const std::stop_token& stop);

  const ByteSources sources_;
  NodeTable& nodes_;
  EntryLocks& entries_;
  EntryLocks turns_;  // the publication turns
  const RetryDelays delays_;

  mutable Mutex mutex_;
  Condition changed_;
  std::map<NodeId, Kept> kept_ CAIRN_GUARDED_BY(mutex_);
  bool kicked_ CAIRN_GUARDED_BY(mutex_) = false;  // kept_ has something newly due
  Thread thread_;                                 // last: it uses all of the above
};

}  // namespace cairn
