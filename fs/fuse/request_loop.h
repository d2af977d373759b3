// The threads that take requests from the kernel.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

struct fuse_session;
struct fuse_buf;

namespace cairn {

// As many threads as there are requests to wait for, up to a limit, and at any time at least one that reads: a FORGET
// or an INTERRUPT gets through however many requests are stuck in a slow store. (libfuse's own loop stops reading when
// all its threads are busy, and then no signal can free them.)
//
// Thread-safety: stop() may be called from any thread, any number of times; the rest from the owner's.
// Ownership: borrows the session, which must be mounted and outlive it.
class RequestLoop {
 public:
  // `max_threads` >= 2.
  RequestLoop(fuse_session* session, size_t max_threads);
  ~RequestLoop();
  RequestLoop(const RequestLoop&) = delete;
  RequestLoop& operator=(const RequestLoop&) = delete;

  // Serves the kernel's first request, which settles the terms of the mount. Failures: deadline_exceeded, io.
  Result<void> serve_first(std::chrono::milliseconds timeout);

  // Serves until the kernel ends the mount, or stop() and then `grace` for the requests in flight. Calls `closing`,
  // which must make those that still wait return soon, and waits for them, but no longer than `patience`.
  // Failures: io, if the device failed; deadline_exceeded, if a request does not return: its thread goes on using the
  // session and this object, which must then live as long as the process.
  Result<void> run(std::chrono::nanoseconds grace, std::chrono::nanoseconds patience,
                   const std::function<void()>& closing);
  void stop();

  [[nodiscard]] size_t threads() const;

 private:
  class Shift;
  void work();
  bool receive(fuse_buf& buffer);
  void dispatch(const fuse_buf& buffer);
  void process(const void* bytes, size_t size);
  void spawn_reader();  // with mutex_ held
  void wait_for_end(std::chrono::nanoseconds grace);
  bool join_all(std::chrono::nanoseconds patience);
  [[nodiscard]] bool idle() const { return readers_ == threads_.size() && backlog_.empty(); }  // with mutex_ held

  fuse_session* const session_;
  const size_t max_threads_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;  // guarded by mutex_ until closed_, then by run()
  size_t alive_ = 0;                  // guarded by mutex_: threads that have not returned
  size_t readers_ = 0;                // guarded by mutex_: threads in receive(), or on their way to it
  std::deque<Buffer> backlog_;        // guarded by mutex_: requests read while every other thread was busy
  bool stopping_ = false;             // guarded by mutex_: stop() was called
  bool ended_ = false;                // guarded by mutex_: the kernel has ended the mount, or the device failed
  bool closed_ = false;               // guarded by mutex_: no new threads
  int device_error_ = 0;              // guarded by mutex_
};

}  // namespace cairn
