#include "fs/fuse/request_loop.h"

#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "fs/fuse/libfuse.h"
#include "fs/fuse/receive_buffer.h"

namespace cairn {

namespace {

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

const fuse_in_header& header_of(const void* request) { return *static_cast<const fuse_in_header*>(request); }

ByteView bytes_of(const ReceiveBuffer& buffer) {
  return {static_cast<const std::byte*>(buffer.bytes()), buffer.size()};
}

Buffer copy_of(const ReceiveBuffer& buffer) { return Buffer::copy_of(bytes_of(buffer)); }

// Requests up to this size are copied out of the buffer that they came in, so that it can be used again meanwhile.
constexpr size_t kSmallRequestBytes = 16 << 10;
// Threads that read although others do, so that not every burst of requests makes new ones.
constexpr size_t kLeastReaders = 2;

}  // namespace

RequestLoop::RequestLoop(fuse_session* session, size_t slots, IsDying is_dying)
    : session_(session), slots_(slots), is_dying_(std::move(is_dying)) {
  check(slots >= 1, "somebody works");
}

RequestLoop::~RequestLoop() { check(threads_.empty() && ended_threads_.empty(), "run() joins its threads"); }

Result<void> RequestLoop::serve_first(std::chrono::milliseconds timeout) {
  pollfd readable{fuse_session_fd(session_), POLLIN, 0};
  const int ready = ::poll(&readable, 1, static_cast<int>(timeout.count()));
  if (ready < 0) return fail(error_from_errno(errno, "wait for the kernel's first request"));
  if (ready == 0) return fail(Errc::deadline_exceeded, "the kernel sent no request for {} ms", timeout.count());
  ReceiveBuffer buffer;
  if (!receive(buffer)) return fail(Errc::io, "the kernel ended the connection before its first request");
  process(buffer.bytes(), buffer.size());
  return {};
}

Result<void> RequestLoop::run(std::chrono::nanoseconds grace, std::chrono::nanoseconds patience,
                              const std::function<void()>& closing) {
  {
    const MutexLock lock(mutex_);
    if (!ended_ && !spawn(Begins::by_reading)) return fail(Errc::no_space, "no thread can be made");
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

void RequestLoop::wait_for_end(std::chrono::nanoseconds grace) {
  MutexLock lock(mutex_);
  changed_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return stopping_ || ended_; });
  changed_.wait_for(lock, {}, grace, [this]() CAIRN_REQUIRES(mutex_) { return ended_ || idle(); });
  closed_ = true;
}

bool RequestLoop::join_all(std::chrono::nanoseconds patience) {
  MutexLock lock(mutex_);
  std::map<ThreadNumber, Thread> threads = std::exchange(threads_, {});  // closed_: there will be no more
  std::vector<Thread> ended = std::exchange(ended_threads_, {});
  // Cancelled threads that are working on a request finish it first; the next read ends them.
  for (auto& [number, thread] : threads) pthread_cancel(thread.native_handle());
  const bool all_ended = changed_.wait_for(lock, {}, patience, [this]() CAIRN_REQUIRES(mutex_) { return alive_ == 0; });
  lock.unlock();
  for (Thread& thread : ended) thread.join();
  for (auto& [number, thread] : threads) all_ended ? thread.join() : thread.detach();
  return all_ended;
}

// What a thread of the loop is while it runs. Counts it out, also when it is cancelled.
class RequestLoop::Shift {
 public:
  Shift(RequestLoop& loop, ThreadNumber number) : loop_(loop), number_(number) { WorkSlots::of_this_thread(&loop); }
  ~Shift() {
    const MutexLock lock(loop_.mutex_);
    auto self = loop_.threads_.extract(number_);
    if (!self.empty()) loop_.ended_threads_.push_back(std::move(self.mapped()));
    --loop_.alive_;
    loop_.changed_.notify_all();
  }
  Shift(const Shift&) = delete;
  Shift& operator=(const Shift&) = delete;

 private:
  RequestLoop& loop_;
  const ThreadNumber number_;
};

// While a thread has a request. The lock is given back meanwhile.
class RequestLoop::Serving {
 public:
  Serving(RequestLoop& loop, MutexLock& lock) : loop_(loop), lock_(lock) {
    ++loop_.under_way_;
    ++loop_.working_;
    lock_.unlock();
  }
  ~Serving() {
    lock_.lock();
    --loop_.working_;
    --loop_.under_way_;
    if (loop_.stopping_) loop_.changed_.notify_all();
  }
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

 private:
  RequestLoop& loop_;
  MutexLock& lock_;
};

// False: this process may have no more threads, or none is wanted any more.
bool RequestLoop::spawn(Begins begins) {
  for (Thread& ended : std::exchange(ended_threads_, {})) ended.join();  // they have let go of mutex_
  if (closed_ || alive_ == kMaxThreads) return false;
  const ThreadNumber number = ++last_thread_;
  const auto body = [this, number, begins](const std::stop_token&) {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    const Shift shift(*this, number);
    work(begins);
  };
  try {
    threads_.emplace(number, Thread("cairn-fuse", body));
  } catch (const std::system_error& error) {
    log::warning("no thread for another request: {}", error.what());
    return false;
  }
  ++alive_;
  if (begins == Begins::by_reading) ++readers_;
  return true;
}

void RequestLoop::work(Begins begins) {
  if (begins == Begins::with_backlog) {
    MutexLock lock(mutex_);
    serve_backlog(lock);
    if (!go_on_reading()) return;
  }
  while (read_one()) {
  }
}

// False: this thread reads no more.
bool RequestLoop::read_one() {
  ReceiveBuffer buffer = take_buffer();
  if (!receive(buffer)) {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
    return false;
  }
  switch (header_of(buffer.bytes()).opcode) {
    case FUSE_INTERRUPT: interrupt(buffer); break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET: process(buffer.bytes(), buffer.size()); break;
    default: return dispatch(buffer);
  }
  const MutexLock lock(mutex_);
  keep_buffer(buffer);
  return true;
}

bool RequestLoop::receive(ReceiveBuffer& buffer) {
  for (;;) {
    int received = 0;
    {
      const CancellationPoint here;
      received = fuse_session_receive_buf(session_, &buffer.buf());
    }
    if (received == -EINTR || received == -EAGAIN) continue;
    if (received < 0) {
      const MutexLock lock(mutex_);
      device_error_ = -received;
    }
    return received > 0;
  }
}

ReceiveBuffer RequestLoop::take_buffer() {
  const MutexLock lock(mutex_);
  if (spare_buffers_.empty()) return {};
  ReceiveBuffer buffer = std::move(spare_buffers_.back());
  spare_buffers_.pop_back();
  return buffer;
}

void RequestLoop::keep_buffer(ReceiveBuffer& buffer) {
  if (spare_buffers_.size() < slots_) spare_buffers_.push_back(std::move(buffer));
}

// Serves what was received, or leaves it to others. False: this thread reads no more.
bool RequestLoop::dispatch(ReceiveBuffer& buffer) {
  const bool is_small = buffer.size() <= kSmallRequestBytes;
  Buffer copy = is_small ? copy_of(buffer) : Buffer();
  MutexLock lock(mutex_);
  // The last reader goes on reading; whoever has a slot next does the work.
  if (!has_slot() || (readers_ == 1 && !spawn(Begins::by_reading))) {
    backlog_.push_back(is_small ? std::move(copy) : copy_of(buffer));
    keep_buffer(buffer);
    return true;
  }
  --readers_;
  if (is_small) keep_buffer(buffer);
  serve(is_small ? copy.view() : bytes_of(buffer), lock);
  if (!is_small) keep_buffer(buffer);
  serve_backlog(lock);
  return go_on_reading();
}

void RequestLoop::serve(ByteView request, MutexLock& lock) {
  const Serving serving(*this, lock);
  process(request.data(), request.size());
}

void RequestLoop::serve_backlog(MutexLock& lock) {
  while (!backlog_.empty() && has_slot()) {
    const Buffer next = std::move(backlog_.front());
    backlog_.pop_front();
    serve(next.view(), lock);
  }
}

bool RequestLoop::go_on_reading() {
  if (readers_ >= std::max(slots_, kLeastReaders)) return false;
  ++readers_;
  return true;
}

void RequestLoop::give_back() {
  const MutexLock lock(mutex_);
  --working_;
  if (!backlog_.empty() && has_slot()) (void)spawn(Begins::with_backlog);
}

void RequestLoop::take_again() {
  const MutexLock lock(mutex_);
  ++working_;
}

// The kernel says so once for each request, and a process that was killed waits for the answer: one that is still
// queued is answered now. libfuse remembers the interrupt until then.
void RequestLoop::interrupt(const ReceiveBuffer& buffer) {
  const auto* body = static_cast<const std::byte*>(buffer.bytes()) + sizeof(fuse_in_header);
  const uint64_t unique = reinterpret_cast<const fuse_interrupt_in*>(body)->unique;
  process(buffer.bytes(), buffer.size());
  MutexLock lock(mutex_);
  const auto queued = std::find_if(backlog_.begin(), backlog_.end(),
                                   [&](const Buffer& request) { return header_of(request.data()).unique == unique; });
  if (queued == backlog_.end() || !is_dying_(static_cast<int32_t>(header_of(queued->data()).pid))) return;
  const Buffer request = std::move(*queued);
  backlog_.erase(queued);
  lock.unlock();
  process(request.data(), request.size());
}

void RequestLoop::process(const void* bytes, size_t size) {
  fuse_buf buffer{};
  buffer.size = size;
  buffer.mem = const_cast<void*>(bytes);  // libfuse only reads it
  fuse_session_process_buf(session_, &buffer);
}

}  // namespace cairn
