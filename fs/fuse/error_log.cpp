#include "fs/fuse/error_log.h"

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"

namespace cairn {

namespace {

bool is_fault(const Error& error, int errno_value) {
  return errno_value == EIO || errno_value == ETIMEDOUT || error.code() == Errc::corrupt;
}

}  // namespace

std::string to_string(const Subject& subject) {
  if (subject.name == nullptr) return fmt::format("{} node {}", subject.operation, subject.node);
  return fmt::format("{} node {} '{}'", subject.operation, subject.node, subject.name);
}

void ErrorLog::report(const Subject& subject, const Error& error, int errno_value) {
  uint64_t suppressed = 0;
  if (!is_fault(error, errno_value) || !admit(&suppressed)) return;
  if (suppressed > 0) log::warning("{} more failed requests were not logged", suppressed);
  log::warning("{}: {}", to_string(subject), error.to_string());
}

bool ErrorLog::admit(uint64_t* suppressed) {
  const MutexLock lock(mutex_);
  const SteadyTime now = system_clock().steady_now();
  if (now - window_start_ >= kWindow) {
    window_start_ = now;
    lines_ = 0;
  }
  if (lines_ >= kBurst) {
    ++suppressed_;
    return false;
  }
  ++lines_;
  *suppressed = std::exchange(suppressed_, 0);
  return true;
}

}  // namespace cairn
