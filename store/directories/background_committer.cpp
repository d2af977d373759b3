#include "store/directories/background_committer.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "base/mutex.h"
#include "base/parallel.h"

namespace cairn {

namespace {

// Directories that are worked on at once.
constexpr size_t kWidth = 8;
constexpr std::chrono::nanoseconds kFirstPause = std::chrono::seconds(1);
constexpr unsigned kMaxDoublings = 6;

std::chrono::nanoseconds pause_after(unsigned failures) {
  return kFirstPause * (1U << std::min(failures - 1, kMaxDoublings));
}

}  // namespace

BackgroundCommitter::BackgroundCommitter(StoreEnvironment& environment, Work work)
    : environment_(environment),
      work_(std::move(work)),
      thread_("committer", [this](const std::stop_token& stop) { run(stop); }) {}

BackgroundCommitter::~BackgroundCommitter() { stop(); }

void BackgroundCommitter::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void BackgroundCommitter::add(std::shared_ptr<Directory> directory, SteadyTime due) {
  const MutexLock lock(mutex_);
  auto [entry, is_new] = jobs_.try_emplace(directory->id());
  Job& job = entry->second;
  job.due = is_new ? due : std::min(job.due, due);
  job.added = ++added_;
  job.directory = std::move(directory);
  wake_.notify_all();
}

size_t BackgroundCommitter::size() const {
  const MutexLock lock(mutex_);
  return jobs_.size();
}

std::vector<BackgroundCommitter::Job> BackgroundCommitter::jobs_due_by(SteadyTime time) const {
  std::vector<Job> due;
  for (const auto& [id, job] : jobs_) {
    if (job.due <= time) due.push_back(job);
  }
  return due;
}

std::chrono::nanoseconds BackgroundCommitter::time_to_next() const {
  SteadyTime next = environment_.clock.steady_now() + std::chrono::hours(1);
  for (const auto& [id, job] : jobs_) next = std::min(next, job.due);
  return next - environment_.clock.steady_now();
}

void BackgroundCommitter::run(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested()) {
    const std::vector<Job> due = jobs_due_by(environment_.clock.steady_now());
    if (due.empty()) {
      const uint64_t seen = added_;
      wake_.wait_for(lock, stop, time_to_next(), [this, seen]() CAIRN_REQUIRES(mutex_) { return added_ != seen; });
      continue;
    }
    lock.unlock();
    (void)run_jobs(due, RequestContext::within(environment_.options.operation_timeout, Cause::write_back, stop));
    lock.lock();
  }
}

Result<void> BackgroundCommitter::run_all(const RequestContext& context) {
  MutexLock lock(mutex_);
  const std::vector<Job> all = jobs_due_by(SteadyTime::max());
  lock.unlock();
  return run_jobs(all, context);
}

Result<void> BackgroundCommitter::run_jobs(const std::vector<Job>& jobs, const RequestContext& context) {
  std::vector<Result<void>> results(jobs.size());
  run_in_parallel(environment_.io, jobs.size(), kWidth - 1, [&](size_t i) {
    results[i] = work_(jobs[i].directory, context);
    finish(jobs[i], results[i]);
  });
  const auto failed = std::find_if(results.begin(), results.end(), [](const auto& result) { return !result; });
  return failed == results.end() ? Result<void>() : *failed;
}

void BackgroundCommitter::finish(const Job& job, const Result<void>& result) {
  const MutexLock lock(mutex_);
  const auto found = jobs_.find(job.directory->id());
  if (found == jobs_.end()) return;  // done by another thread meanwhile
  Job& current = found->second;
  if (!result) {
    ++current.failures;
    current.due = environment_.clock.steady_now() + pause_after(current.failures);
    log::warning("directory {:016x}: changes wait for the store: {}", job.directory->id(), result.error().to_string());
    return;
  }
  const auto due = job.directory->due();
  if (current.added == job.added && !due) {
    jobs_.erase(found);
    return;
  }
  current.failures = 0;
  if (due) current.due = *due;
}

}  // namespace cairn
