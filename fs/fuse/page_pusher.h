// Pages for the kernel before it asks: what streams in for a file goes into its page cache.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "base/bytes.h"
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
  PagePusher(Store store, uint64_t queue_bytes);
  // Waits for the push in progress.
  ~PagePusher();
  PagePusher(const PagePusher&) = delete;
  PagePusher& operator=(const PagePusher&) = delete;

  // Queues `bytes`, whole pages of the node (its last one may be short) that lie in `chunk`; drops them when the queue
  // is full. Never blocks.
  void push(NodeId node, uint64_t offset, ByteView bytes, SharedBuffer chunk);

  // Forgets what is queued for `node` and waits for the push in progress: afterwards nothing pushed before can
  // overwrite what a writer puts into the page cache.
  void settle(NodeId node);

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
  void run();
  void store_in_pieces(const Stretch& stretch);

  const Store store_;
  const uint64_t queue_limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Stretch> queue_;   // guarded by mutex_
  uint64_t queued_bytes_ = 0;   // guarded by mutex_
  NodeId storing_ = 0;          // guarded by mutex_: the node of the push in progress, 0: none
  bool abandon_ = false;        // guarded by mutex_: leave the rest of the push in progress
  bool stopping_ = false;       // guarded by mutex_
  bool ended_ = false;          // guarded by mutex_: nothing reaches the kernel any more
  uint64_t pushed_bytes_ = 0;   // guarded by mutex_
  uint64_t dropped_bytes_ = 0;  // guarded by mutex_
  std::thread thread_;          // last: it uses all of the above
};

}  // namespace cairn
