// Publishes files that stay open for hours, now and then.
#pragma once

#include <atomic>
#include <deque>
#include <optional>
#include <unordered_set>

#include "base/thread.h"
#include "base/wait.h"
#include "fs/node_table.h"
#include "fs/publish_open_rules.h"
#include "fs/publisher.h"

namespace cairn {

// A file whose name the rules match is published `after` the first change that no publication has seen, by a thread of
// its own: writers wait for nothing, and who changes nothing costs nothing. Nobody was promised such a publication, so
// one that fails keeps nothing and is tried again after the same time.
//
// Thread-safety: all methods may be called from any thread; none waits but stop().
// Ownership: borrows all but the rules.
// Failures: none; what cannot be published is logged.
class PeriodicPublisher {
 public:
  PeriodicPublisher(StoreEnvironment& environment, NodeTable& nodes, Publisher& publisher, PublishOpenRules rules);
  ~PeriodicPublisher();
  PeriodicPublisher(const PeriodicPublisher&) = delete;
  PeriodicPublisher& operator=(const PeriodicPublisher&) = delete;

  // The node, open with these bytes, has been changed.
  void changed(const FileNodePtr& node, FileBytes& bytes);
  // It has another name, or may have unpublished bytes for another reason.
  void consider(const FileNodePtr& node);
  // Interrupts what is under way; nothing more is published.
  void stop();

  [[nodiscard]] const PublishOpenRules& rules() const { return rules_; }
  // How many publications there were.
  [[nodiscard]] uint64_t published() const { return published_; }

 private:
  void add(const FileNodePtr& node);
  void run(const std::stop_token& stop);
  [[nodiscard]] FileNodePtr take_due() CAIRN_REQUIRES(mutex_);
  void publish(const FileNodePtr& node, const std::stop_token& stop);

  StoreEnvironment& environment_;
  NodeTable& nodes_;
  Publisher& publisher_;
  const PublishOpenRules rules_;
  std::atomic<uint64_t> published_{0};

  struct Waiting {
    FileNodePtr node;
    SteadyTime due{};
  };
  Mutex mutex_;
  Condition changed_;
  std::deque<Waiting> waiting_ CAIRN_GUARDED_BY(mutex_);        // whose time comes first is in front
  std::unordered_set<NodeId> listed_ CAIRN_GUARDED_BY(mutex_);  // each of them once
  uint64_t added_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::optional<Thread> thread_;  // last: it uses all of the above; none without rules
};

}  // namespace cairn
