// Failures that an administrator should know of, in the log; but never a flood of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/mutex.h"

namespace cairn {

// What a request was about, for the log.
struct Subject {
  const char* operation = "";
  uint64_t node = 0;
  const char* name = nullptr;  // the path component, for requests that have one
};

// "rename node 12 'model.tmp'"
std::string to_string(const Subject& subject);

// Thread-safety: all methods may be called from any thread.
class ErrorLog {
 public:
  // Logs what no caller expects: EIO and timeouts. ENOENT and the like are answers, not faults. At most kBurst lines
  // in kWindow; the rest is counted and told with the next line.
  void report(const Subject& subject, const Error& error, int errno_value);

 private:
  static constexpr uint32_t kBurst = 20;
  static constexpr std::chrono::seconds kWindow{10};
  // False: hold the line back. Otherwise `suppressed` lines were held back before it.
  bool admit(uint64_t* suppressed);

  Mutex mutex_;
  SteadyTime window_start_ CAIRN_GUARDED_BY(mutex_){};
  uint32_t lines_ CAIRN_GUARDED_BY(mutex_) = 0;  // in this window
  uint64_t suppressed_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn
