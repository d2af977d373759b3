// Pages for the kernel before it asks: what streams in for a file goes into its page cache.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>

#include "base/bytes.h"
#include "base/thread.h"
#include "base/wait.h"
#include "fs/file_system.h"

namespace cairn {

// One thread and a bounded queue. A push may wait in the kernel for a page whose read is under way, so it must never
// happen on a thread that serves requests.
//
// Thread-safety: all methods may be called from any thread.
// Failures: none; a page that is not pushed is read later.
class PagePusher {
 public:
  // Hands bytes to the kernel: 0 or a negative errno.
  using Store = std::function<int(NodeId node, uint64_t offset, ByteView bytes)>;
  // Makes the kernel forget a node's attributes, and `length` bytes of its pages from `from` on; 0: to the end.
  using Forget = std::function<void(NodeId node, uint64_t from, uint64_t length)>;
  PagePusher(Store store, uint64_t queue_bytes, Forget forget = nullptr);
  // Waits for the push in progress.
  ~PagePusher();
  PagePusher(const PagePusher&) = delete;
  PagePusher& operator=(const PagePusher&) = delete;

  // Queues `bytes`, whole pages of the node (its last one may be short) that lie in `chunk`; drops them when the queue
  // is full, and says so by false. Never blocks.
  bool push(NodeId node, uint64_t offset, ByteView bytes, SharedBuffer chunk);

  // Forgets what is queued for `node` and waits for the push in progress: afterwards nothing pushed before can
  // overwrite what a writer puts into the page cache.
  void drain(NodeId node);

  // Drains, and then has the kernel forget what it knows of the node: its attributes, and its pages, as Forget
  // has them. On the pusher's thread, since it may wait for a page whose read is under way, like a push.
  void forget(NodeId node, uint64_t from, uint64_t length = 0);

  // Drops the queue and ends the thread, after the push in progress. False: that has not ended within `patience`,
  // because nobody serves the read that it waits for; the connection must be aborted to free it.
  bool stop(std::chrono::nanoseconds patience);

  [[nodiscard]] uint64_t pushed_bytes() const;
  [[nodiscard]] uint64_t dropped_bytes() const;

 private:
  struct Stretch {
    NodeId node = 0;
    uint64_t offset = 0;
    ByteView bytes;
    SharedBuffer chunk;  // keeps `bytes`
  };
  struct Forgotten {
    NodeId node = 0;
    uint64_t from = 0;
    uint64_t length = 0;
  };
  void run();
  void forget_first(MutexLock& lock) CAIRN_NO_THREAD_SAFETY_ANALYSIS;  // gives the lock back meanwhile
  void push_next(MutexLock& lock) CAIRN_NO_THREAD_SAFETY_ANALYSIS;     // gives the lock back meanwhile
  void drop_queued(NodeId node) CAIRN_REQUIRES(mutex_);
  void store_in_pieces(const Stretch& stretch);

  const Store store_;
  const Forget forget_;
  const uint64_t queue_limit_;
  mutable Mutex mutex_;
  Condition changed_;
  std::deque<Stretch> queue_ CAIRN_GUARDED_BY(mutex_);
  std::deque<Forgotten> forgetting_ CAIRN_GUARDED_BY(mutex_);
  uint64_t forgets_asked_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t forgets_done_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t queued_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  NodeId storing_ CAIRN_GUARDED_BY(mutex_) = 0;    // the node of the push in progress, 0: none
  bool abandon_ CAIRN_GUARDED_BY(mutex_) = false;  // leave the rest of the push in progress
  bool stopping_ CAIRN_GUARDED_BY(mutex_) = false;
  bool ended_ CAIRN_GUARDED_BY(mutex_) = false;  // nothing reaches the kernel any more
  uint64_t pushed_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  Thread thread_;  // last: it uses all of the above
};

}  // namespace cairn
