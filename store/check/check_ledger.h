// The inside of check: what its parts share while they work in parallel.
#pragma once

#include <atomic>
#include <functional>
#include <optional>

#include "base/mutex.h"
#include "base/result.h"
#include "store/check/check_report.h"

namespace cairn {

// Threads that help the one that checks: enough to hide the latency of an object store. Each may hold one encoded and
// one plain chunk.
inline constexpr size_t kCheckHelpers = 7;

// Collects findings and counts. Thread-safety: all methods may be called from any thread.
class CheckLedger {
 public:
  explicit CheckLedger(const CheckOptions& options) : options_(options) {}

  void find(CheckFinding finding);
  // What stays in memory until the end has grown by so much, or shrunk. Beyond its bound the check stops.
  void remember(uint64_t size_bytes);
  void forget(uint64_t size_bytes);
  // What one directory or manifest may take, and what it may where many are read at once.
  [[nodiscard]] uint64_t most_bytes() const { return options_.memory_bytes / 4; }
  [[nodiscard]] uint64_t share_bytes() const { return options_.memory_bytes / 64; }
  // Changes counts of the report under the lock.
  void count(const std::function<void(CheckReport&)>& change);
  void expect_objects(uint64_t more);
  void done_object(uint64_t size_bytes);

  // True if `error` is damage, which a finding describes; anything else stops the check.
  bool is_damage(const Error& error);
  // The check cannot go on; the first reason is the one reported.
  void stop(const Error& error);
  [[nodiscard]] bool stopped() const { return stopped_; }

  // The report, findings in order of path; or why the check could not go on.
  Result<CheckReport> finish();

 private:
  const CheckOptions& options_;
  std::atomic<bool> stopped_{false};
  std::atomic<uint64_t> remembered_{0};
  Mutex mutex_;
  CheckReport report_ CAIRN_GUARDED_BY(mutex_);
  CheckProgress progress_ CAIRN_GUARDED_BY(mutex_);
  std::optional<Error> failure_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
