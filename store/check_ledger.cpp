#include "store/check_ledger.h"

#include <algorithm>
#include <thread>
#include <tuple>

namespace cairn {

namespace {

// Enough to hide the latency of an object store; each may hold one encoded and one plain chunk.
constexpr size_t kThreads = 8;

}  // namespace

void CheckLedger::find(CheckFinding finding) {
  const std::lock_guard lock(mutex_);
  report_.findings.push_back(std::move(finding));
}

void CheckLedger::count(const std::function<void(CheckReport&)>& change) {
  const std::lock_guard lock(mutex_);
  change(report_);
}

void CheckLedger::expect_objects(uint64_t more) {
  const std::lock_guard lock(mutex_);
  progress_.objects_total += more;
}

void CheckLedger::done_object(uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  ++progress_.objects_done;
  progress_.bytes_done += size_bytes;
  if (options_.progress) options_.progress(progress_);
}

bool CheckLedger::is_damage(const Error& error) {
  const Errc code = error.code();
  if (code == Errc::not_found || code == Errc::corrupt || code == Errc::unsupported) return true;
  stop(error);
  return false;
}

void CheckLedger::stop(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = error;
  stopped_ = true;
}

Result<CheckReport> CheckLedger::finish() {
  const std::lock_guard lock(mutex_);
  if (failure_) return fail(*failure_);
  std::ranges::sort(report_.findings, {}, [](const CheckFinding& finding) {
    return std::tie(finding.path, finding.object, finding.message);
  });
  return std::move(report_);
}

void check_in_parallel(size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next{0};
  std::vector<std::jthread> threads;
  const auto run = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  for (size_t i = 1; i < std::min(kThreads, count); ++i) threads.emplace_back(run);
  run();
}

}  // namespace cairn
