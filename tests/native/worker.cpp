#include "tests/native/worker.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace cairn {

namespace {

constexpr int kPatienceMs = 60'000;

struct OrderHead {
  WorkerCall call;
  int slot, from, flags;
  uint64_t offset, size, path_size, to_size;
};
struct AnswerHead {
  int error;
  uint64_t size, bytes;
};

bool send_all(int socket, const void* bytes, size_t size) {
  const auto* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t sent = ::send(socket, at, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent;
    size -= static_cast<size_t>(sent);
  }
  return true;
}

bool receive_all(int socket, void* bytes, size_t size, int patience_ms = -1) {
  auto* at = static_cast<char*>(bytes);
  while (size > 0) {
    pollfd ready{socket, POLLIN, 0};
    if (::poll(&ready, 1, patience_ms) <= 0) return false;
    const ssize_t received = ::recv(socket, at, size, 0);
    if (received <= 0) return false;
    at += received;
    size -= static_cast<size_t>(received);
  }
  return true;
}

// The child's side: what it has open, and what it does.
class Hands {
 public:
  Worker::Answer work(const Worker::Order& order) {
    errno = 0;
    const int fd = fds_.at(static_cast<size_t>(order.slot));
    switch (order.call) {
      case WorkerCall::open: return opened(order.slot, ::open(order.path.c_str(), order.flags | O_CLOEXEC, 0644));
      case WorkerCall::open_again: return open_again(order);
      case WorkerCall::close: return outcome(::close(fd));
      case WorkerCall::size: return size_of(fd);
      case WorkerCall::read: return read(fd, order);
      case WorkerCall::write: return outcome(::pwrite(fd, order.path.data(), order.path.size(), at(order)));
      case WorkerCall::map: return map(fd, order);
      case WorkerCall::read_map: return read_map(order);
      case WorkerCall::unmap: return outcome(::munmap(maps_.at(static_cast<size_t>(order.slot)), order.size));
      case WorkerCall::truncate: return outcome(::truncate(order.path.c_str(), at(order)));
      case WorkerCall::rename: return outcome(::rename(order.path.c_str(), order.to.c_str()));
      case WorkerCall::unlink: return outcome(::unlink(order.path.c_str()));
    }
    return {.error = EINVAL};
  }

 private:
  static off_t at(const Worker::Order& order) { return static_cast<off_t>(order.offset); }
  static Worker::Answer outcome(ssize_t result) {
    return {.error = result < 0 ? errno : 0, .size = result < 0 ? 0 : static_cast<uint64_t>(result)};
  }
  Worker::Answer opened(int slot, int fd) {
    fds_.at(static_cast<size_t>(slot)) = fd;
    return outcome(fd);
  }
  Worker::Answer open_again(const Worker::Order& order) {
    std::array<char, 64> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fds_.at(static_cast<size_t>(order.from)));
    return opened(order.slot, ::open(path.data(), order.flags | O_CLOEXEC));
  }
  static Worker::Answer size_of(int fd) {
    struct stat info {};
    const int result = ::fstat(fd, &info);
    return {.error = result < 0 ? errno : 0, .size = static_cast<uint64_t>(info.st_size)};
  }
  static Worker::Answer read(int fd, const Worker::Order& order) {
    Worker::Answer answer;
    answer.bytes.resize(order.size);
    const ssize_t count = ::pread(fd, answer.bytes.data(), order.size, at(order));
    answer.error = count < 0 ? errno : 0;
    answer.bytes.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return answer;
  }
  Worker::Answer map(int fd, const Worker::Order& order) {
    void* mapped = ::mmap(nullptr, order.size, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) return {.error = errno};
    maps_.at(static_cast<size_t>(order.slot)) = mapped;
    return {};
  }
  // Also where it has lost bytes since: a system call says EFAULT where a fault kills.
  Worker::Answer read_map(const Worker::Order& order) {
    Worker::Answer answer;
    const char* from = static_cast<const char*>(maps_.at(static_cast<size_t>(order.slot))) + order.offset;
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return {.error = errno};
    answer.bytes.resize(order.size);
    size_t done = 0;
    while (done < order.size) {
      const ssize_t sent = ::write(pipe[1], from + done, std::min<size_t>(order.size - done, 4096));
      if (sent <= 0) break;
      if (::read(pipe[0], answer.bytes.data() + done, static_cast<size_t>(sent)) != sent) break;
      done += static_cast<size_t>(sent);
    }
    answer.error = done < order.size ? errno : 0;
    answer.bytes.resize(done);
    for (const int end : pipe) ::close(end);
    return answer;
  }

  std::array<int, Worker::kSlots> fds_{};
  std::array<void*, Worker::kSlots> maps_{};
};

[[noreturn]] void serve(int socket) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Hands hands;
  OrderHead head{};
  while (receive_all(socket, &head, sizeof head)) {
    Worker::Order order{head.call, head.slot, head.from, head.flags, head.offset, head.size};
    order.path.resize(head.path_size);
    order.to.resize(head.to_size);
    if (!receive_all(socket, order.path.data(), head.path_size) ||
        !receive_all(socket, order.to.data(), head.to_size)) {
      break;
    }
    const Worker::Answer answer = hands.work(order);
    const AnswerHead said{answer.error, answer.size, answer.bytes.size()};
    if (!send_all(socket, &said, sizeof said) || !send_all(socket, answer.bytes.data(), answer.bytes.size())) break;
  }
  ::_exit(0);
}

}  // namespace

Worker::Worker() {
  std::array<int, 2> ends{};
  check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "a test can make a socket");
  process_ = ::fork();
  check(process_ >= 0, "a test can fork");
  if (process_ == 0) {
    ::close(ends[0]);
    serve(ends[1]);
  }
  ::close(ends[1]);
  socket_ = ends[0];
}

Worker::~Worker() {
  ::close(socket_);
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

void Worker::send(const Order& order) const {
  const OrderHead head{order.call,   order.slot, order.from,        order.flags,
                       order.offset, order.size, order.path.size(), order.to.size()};
  check(send_all(socket_, &head, sizeof head) && send_all(socket_, order.path.data(), order.path.size()) &&
            send_all(socket_, order.to.data(), order.to.size()),
        "a worker takes orders");
}

Worker::Answer Worker::wait() const {
  AnswerHead said{};
  check(receive_all(socket_, &said, sizeof said, kPatienceMs), "a worker answers within a minute");
  Answer answer{said.error, said.size};
  answer.bytes.resize(said.bytes);
  check(receive_all(socket_, answer.bytes.data(), said.bytes, kPatienceMs), "a worker answers");
  return answer;
}

Worker::Answer Worker::call(const Order& order) const {
  send(order);
  return wait();
}

}  // namespace cairn
