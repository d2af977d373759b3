// The threads that take requests from the kernel.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/thread.h"
#include "base/wait.h"
#include "base/work_slots.h"
#include "fs/fuse/receive_buffer.h"

struct fuse_session;

namespace cairn {

// A request is served by one thread from start to reply. What is bounded is how many of them work: a thread that waits
// for the store gives its slot back (WithoutSlot), and another one takes the next request, so that a cached read, a
// statfs or an unmount is served at once however many requests wait. At any time at least one thread reads: a FORGET or
// an INTERRUPT gets through in any case. (libfuse's own loop stops reading when all its threads are busy, and then no
// signal can free them.) A thread that waits holds its stack and the bytes of its request, no buffer of a megabyte
// unless those bytes fill it.
//
// Thread-safety: stop() and the slots may be used from any thread, any number of times; the rest from the owner's.
// Ownership: borrows the session, which must be mounted and outlive it.
class RequestLoop final : public WorkSlots {
 public:
  // With more threads than this requests queue; whoever was killed is still let out of the queue.
  static constexpr size_t kMaxThreads = 4096;

  // `is_dying`: whether nobody will hear the answer to a request of that process. `slots` >= 1.
  using IsDying = std::function<bool(int32_t caller)>;
  RequestLoop(fuse_session* session, size_t slots, IsDying is_dying);
  ~RequestLoop() override;
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

  // WorkSlots, for the threads of this loop.
  void give_back() override;
  void take_again() override;

 private:
  using ThreadNumber = uint64_t;
  enum class Begins { by_reading, with_backlog };
  class Shift;
  class Serving;

  bool spawn(Begins begins) CAIRN_REQUIRES(mutex_);
  void work(Begins begins);
  bool read_one();
  bool receive(ReceiveBuffer& buffer);
  ReceiveBuffer take_buffer();
  void keep_buffer(ReceiveBuffer& buffer) CAIRN_REQUIRES(mutex_);
  bool dispatch(ReceiveBuffer& buffer);
  void serve(ByteView request, MutexLock& lock) CAIRN_REQUIRES(mutex_);
  void serve_backlog(MutexLock& lock) CAIRN_REQUIRES(mutex_);
  bool go_on_reading() CAIRN_REQUIRES(mutex_);
  void interrupt(const ReceiveBuffer& buffer);
  void process(const void* bytes, size_t size);
  void wait_for_end(std::chrono::nanoseconds grace);
  bool join_all(std::chrono::nanoseconds patience);
  [[nodiscard]] bool has_slot() const CAIRN_REQUIRES(mutex_) { return working_ < slots_; }
  [[nodiscard]] bool idle() const CAIRN_REQUIRES(mutex_) { return under_way_ == 0 && backlog_.empty(); }

  fuse_session* const session_;
  const size_t slots_;
  const IsDying is_dying_;

  mutable Mutex mutex_;
  Condition changed_;
  ThreadNumber last_thread_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::map<ThreadNumber, Thread> threads_ CAIRN_GUARDED_BY(mutex_);
  std::vector<Thread> ended_threads_ CAIRN_GUARDED_BY(mutex_);  // to be joined, which takes no time
  size_t alive_ CAIRN_GUARDED_BY(mutex_) = 0;                   // threads that have not returned
  size_t readers_ CAIRN_GUARDED_BY(mutex_) = 0;                 // threads in receive(), or on their way to it
  size_t under_way_ CAIRN_GUARDED_BY(mutex_) = 0;               // requests that a thread has begun
  size_t working_ CAIRN_GUARDED_BY(mutex_) = 0;                 // of these, those that do not wait for the store
  std::deque<Buffer> backlog_ CAIRN_GUARDED_BY(mutex_);         // requests read while no slot, or no thread, was free
  std::vector<ReceiveBuffer> spare_buffers_ CAIRN_GUARDED_BY(mutex_);
  bool stopping_ CAIRN_GUARDED_BY(mutex_) = false;  // stop() was called
  bool ended_ CAIRN_GUARDED_BY(mutex_) = false;     // the kernel has ended the mount, or the device failed
  bool closed_ CAIRN_GUARDED_BY(mutex_) = false;    // no new threads
  int device_error_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn
