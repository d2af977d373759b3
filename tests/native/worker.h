// A process that makes system calls on a test's word.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace cairn {

enum class WorkerCall { open, open_again, close, size, read, write, map, read_map, unmap, truncate, rename, unlink };

// Fork it before there are threads: it goes when the test does.
// Thread-safety: none. Failures: a call that takes a minute, or a worker that is gone, ends the test.
class Worker {
 public:
  static constexpr int kSlots = 64;

  struct Order {
    WorkerCall call = WorkerCall::close;
    int slot = 0;  // of the descriptor and its mapping
    int from = 0;  // open_again: the slot whose /proc/self/fd is opened
    int flags = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
    std::string path{};  // or the bytes to write
    std::string to{};
  };
  struct Answer {
    int error = 0;
    uint64_t size = 0;
    std::string bytes{};
  };

  Worker();
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Answer call(const Order& order) const;
  // Without waiting for what becomes of it: wait() does.
  void send(const Order& order) const;
  [[nodiscard]] Answer wait() const;

 private:
  int socket_ = -1;
  pid_t process_ = -1;
};

}  // namespace cairn
