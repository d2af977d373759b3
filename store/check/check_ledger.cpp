#include "store/check/check_ledger.h"

#include <algorithm>
#include <thread>
#include <tuple>

#include "base/mutex.h"
#include "base/units.h"

namespace cairn {

void CheckLedger::remember(uint64_t size_bytes) {
  const uint64_t most = options_.memory_bytes / 2;
  if ((remembered_ += size_bytes) <= most) return;
  stop(Error(Errc::no_space,
             fmt::format("what is to be remembered of this store takes more than {}: half of --memory, of "
                         "which a check of it needs more",
                         human_bytes(most))));
}

void CheckLedger::forget(uint64_t size_bytes) { remembered_ -= size_bytes; }

void CheckLedger::find(CheckFinding finding) {
  remember(sizeof(finding) + finding.object.size() + finding.path.size() + finding.message.size());
  const MutexLock lock(mutex_);
  report_.findings.push_back(std::move(finding));
}

void CheckLedger::count(const std::function<void(CheckReport&)>& change) {
  const MutexLock lock(mutex_);
  change(report_);
}

void CheckLedger::expect_objects(uint64_t more) {
  const MutexLock lock(mutex_);
  progress_.objects_total += more;
}

void CheckLedger::done_object(uint64_t size_bytes) {
  const MutexLock lock(mutex_);
  ++progress_.objects_done;
  progress_.bytes_done += size_bytes;
  if (options_.progress) options_.progress(progress_);
}

bool CheckLedger::is_damage(const Error& error) {
  const Errc code = error.code();
  if (code == Errc::not_found || code == Errc::corrupt || code == Errc::unsupported || code == Errc::no_space) {
    return true;
  }
  stop(error);
  return false;
}

void CheckLedger::stop(const Error& error) {
  const MutexLock lock(mutex_);
  if (!failure_) failure_ = error;
  stopped_ = true;
}

Result<CheckReport> CheckLedger::finish() {
  const MutexLock lock(mutex_);
  if (failure_) return fail(*failure_);
  std::ranges::sort(report_.findings, {}, [](const CheckFinding& finding) {
    return std::tie(finding.path, finding.object, finding.message);
  });
  return std::move(report_);
}

}  // namespace cairn
