// The threads that take requests from the kernel.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/thread.h"
#include "base/wait.h"

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

  // Serves the kernel's first request, in which the terms of the mount are agreed. Failures: deadline_exceeded, io.
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
  void spawn_reader() CAIRN_REQUIRES(mutex_);
  void wait_for_end(std::chrono::nanoseconds grace);
  bool join_all(std::chrono::nanoseconds patience);
  [[nodiscard]] bool idle() const CAIRN_REQUIRES(mutex_) { return readers_ == threads_.size() && backlog_.empty(); }

  fuse_session* const session_;
  const size_t max_threads_;

  mutable Mutex mutex_;
  Condition changed_;
  std::vector<Thread> threads_ CAIRN_GUARDED_BY(mutex_);
  size_t alive_ CAIRN_GUARDED_BY(mutex_) = 0;            // threads that have not returned
  size_t readers_ CAIRN_GUARDED_BY(mutex_) = 0;          // threads in receive(), or on their way to it
  std::deque<Buffer> backlog_ CAIRN_GUARDED_BY(mutex_);  // requests read while every other thread was busy
  bool stopping_ CAIRN_GUARDED_BY(mutex_) = false;       // stop() was called
  bool ended_ CAIRN_GUARDED_BY(mutex_) = false;          // the kernel has ended the mount, or the device failed
  bool closed_ CAIRN_GUARDED_BY(mutex_) = false;         // no new threads
  int device_error_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn
