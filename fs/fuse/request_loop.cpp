#include "fs/fuse/request_loop.h"

#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "fs/fuse/libfuse.h"

namespace cairn {

namespace {

// libfuse allocates the memory on first use.
struct ReceiveBuffer {
  ReceiveBuffer() = default;
  ReceiveBuffer(const ReceiveBuffer&) = delete;
  ReceiveBuffer& operator=(const ReceiveBuffer&) = delete;
  ~ReceiveBuffer() { std::free(buf.mem); }

  fuse_buf buf{};
};

// A thread blocked in read(2) on /dev/fuse can be woken by nobody but the kernel; cancellation, allowed there and
// nowhere else, is libfuse's way out as well. Not noexcept on the way up: the unwinding passes through.
class CancellationPoint {
 public:
  CancellationPoint() { pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before_); }
  ~CancellationPoint() { pthread_setcancelstate(before_, nullptr); }
  CancellationPoint(const CancellationPoint&) = delete;
  CancellationPoint& operator=(const CancellationPoint&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_DISABLE;
};

// Requests that never wait, and that others wait for.
bool is_urgent(const void* request) {
  const auto opcode = static_cast<const fuse_in_header*>(request)->opcode;
  return opcode == FUSE_INTERRUPT || opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET;
}

}  // namespace

RequestLoop::RequestLoop(fuse_session* session, size_t max_threads) : session_(session), max_threads_(max_threads) {
  check(max_threads >= 2, "one thread reads while others work");
}

RequestLoop::~RequestLoop() { check(threads_.empty(), "run() joins its threads"); }

Result<void> RequestLoop::serve_first(std::chrono::milliseconds timeout) {
  pollfd readable{fuse_session_fd(session_), POLLIN, 0};
  const int ready = ::poll(&readable, 1, static_cast<int>(timeout.count()));
  if (ready < 0) return fail(error_from_errno(errno, "wait for the kernel's first request"));
  if (ready == 0) return fail(Errc::deadline_exceeded, "the kernel sent no request for {} ms", timeout.count());
  ReceiveBuffer buffer;
  if (!receive(buffer.buf)) return fail(Errc::io, "the kernel ended the connection before its first request");
  process(buffer.buf.mem, buffer.buf.size);
  return {};
}

Result<void> RequestLoop::run(std::chrono::nanoseconds grace, std::chrono::nanoseconds patience,
                              const std::function<void()>& closing) {
  {
    const MutexLock lock(mutex_);
    if (!ended_) spawn_reader();
  }
  wait_for_end(grace);
  closing();
  if (!join_all(patience)) return fail(Errc::deadline_exceeded, "requests do not end: the store's files do not answer");
  const MutexLock lock(mutex_);
  if (device_error_ != 0) return fail(error_from_errno(device_error_, "read from the FUSE device"));
  return {};
}

void RequestLoop::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

size_t RequestLoop::threads() const {
  const MutexLock lock(mutex_);
  return threads_.size();
}

// No new threads from the end of this on: join_all() must have them all.
void RequestLoop::wait_for_end(std::chrono::nanoseconds grace) {
  MutexLock lock(mutex_);
  changed_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return stopping_ || ended_; });
  changed_.wait_for(lock, {}, grace, [this]() CAIRN_REQUIRES(mutex_) { return ended_ || idle(); });
  closed_ = true;
}

bool RequestLoop::join_all(std::chrono::nanoseconds patience) {
  MutexLock lock(mutex_);
  std::vector<Thread> threads = std::exchange(threads_, {});  // closed_: there will be no more
  // Cancelled threads that are working on a request finish it first; the next read ends them.
  for (Thread& thread : threads) pthread_cancel(thread.native_handle());
  const bool all_ended = changed_.wait_for(lock, {}, patience, [this]() CAIRN_REQUIRES(mutex_) { return alive_ == 0; });
  lock.unlock();
  for (Thread& thread : threads) all_ended ? thread.join() : thread.detach();
  return all_ended;
}

// Counts a thread out, also when it is cancelled.
class RequestLoop::Shift {
 public:
  explicit Shift(RequestLoop& loop) : loop_(loop) {}
  ~Shift() {
    const MutexLock lock(loop_.mutex_);
    --loop_.alive_;
    loop_.changed_.notify_all();
  }
  Shift(const Shift&) = delete;
  Shift& operator=(const Shift&) = delete;

 private:
  RequestLoop& loop_;
};

void RequestLoop::spawn_reader() {
  if (closed_) return;
  threads_.emplace_back("cairn-fuse", [this](const std::stop_token&) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    const Shift shift(*this);
    work();
  });
  // Counted here and not by the thread itself: until it runs, another dispatch() would spawn one more, and join_all()
  // would not wait for it.
  ++alive_;
  ++readers_;
}

void RequestLoop::work() {
  ReceiveBuffer buffer;
  while (receive(buffer.buf)) dispatch(buffer.buf);
  const MutexLock lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

bool RequestLoop::receive(fuse_buf& buffer) {
  for (;;) {
    int received = 0;
    {
      const CancellationPoint here;
      received = fuse_session_receive_buf(session_, &buffer);
    }
    if (received == -EINTR || received == -EAGAIN) continue;
    if (received < 0) {
      const MutexLock lock(mutex_);
      device_error_ = -received;
    }
    return received > 0;
  }
}

void RequestLoop::dispatch(const fuse_buf& buffer) {
  if (is_urgent(buffer.mem)) return process(buffer.mem, buffer.size);
  MutexLock lock(mutex_);
  // Another reader is begun before this one goes to work, for the work may be stuck in the store.
  if (readers_ == 1 && threads_.size() < max_threads_) spawn_reader();
  if (readers_ == 1) {
    // The last reader goes on reading; the first thread that comes free does the work.
    backlog_.push_back(Buffer::copy_of({static_cast<const std::byte*>(buffer.mem), buffer.size}));
    return;
  }
  --readers_;
  lock.unlock();
  process(buffer.mem, buffer.size);
  lock.lock();
  // The backlog before the next read: its requests have waited longer than any that the kernel still holds.
  while (!backlog_.empty()) {
    const Buffer next = std::move(backlog_.front());
    backlog_.pop_front();
    lock.unlock();
    process(next.data(), next.size());
    lock.lock();
  }
  ++readers_;
  if (stopping_) changed_.notify_all();
}

void RequestLoop::process(const void* bytes, size_t size) {
  fuse_buf buffer{};
  buffer.size = size;
  buffer.mem = const_cast<void*>(bytes);  // libfuse only reads it
  fuse_session_process_buf(session_, &buffer);
}

}  // namespace cairn
