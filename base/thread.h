// A thread with a name, an owner and a way to tell it to stop.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "base/scheduler.h"

namespace cairn {

// Move-only. The destructor asks it to stop, and joins.
// Failures: an exception that leaves the body is logged, and ends the thread but not the process.
// Thread-safety: one owner.
class Thread {
 public:
  using Body = std::function<void(const std::stop_token& stop)>;

  Thread() = default;
  // `name` (its first 15 bytes) is what top and gdb show.
  Thread(const std::string& name, Body body);
  ~Thread();
  Thread(Thread&& other) noexcept = default;
  Thread& operator=(Thread&& other) noexcept;

  [[nodiscard]] bool joinable() const { return thread_.joinable(); }
  void request_stop() { thread_.request_stop(); }
  void join();
  // It goes on alone: what it uses must outlive it.
  void detach() { thread_.detach(); }
  [[nodiscard]] pthread_t native_handle() { return thread_.native_handle(); }

 private:
  Scheduler* scheduler_ = nullptr;
  Scheduler::ThreadId id_ = 0;
  std::jthread thread_;
};

}  // namespace cairn
