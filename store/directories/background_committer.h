// The thread that commits changes which nobody waits for.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/thread.h"
#include "base/wait.h"
#include "store/directories/directory.h"

namespace cairn {

// Directories with something left to do, and when it is due. A directory whose work fails is tried again, with growing
// pauses.
//
// Thread-safety: all methods may be called from any thread, add() from within the work too.
// Ownership: holds a directory from add() until its work is done.
class BackgroundCommitter {
 public:
  using Work = std::function<Result<void>(const std::shared_ptr<Directory>&, const RequestContext&)>;

  BackgroundCommitter(StoreEnvironment& environment, Work work);
  ~BackgroundCommitter();
  BackgroundCommitter(const BackgroundCommitter&) = delete;
  BackgroundCommitter& operator=(const BackgroundCommitter&) = delete;

  void add(std::shared_ptr<Directory> directory, SteadyTime due);
  // Does all there is to do now, due or not, several directories at a time; the first error, after trying all.
  Result<void> run_all(const RequestContext& context);
  // Interrupts the thread's work and ends it. Jobs that are left stay for run_all.
  void stop();

  [[nodiscard]] size_t size() const;

 private:
  struct Job {
    std::shared_ptr<Directory> directory;
    SteadyTime due{};
    uint64_t added = 0;  // how often; tells whether more came while the work ran
    unsigned failures = 0;
  };

  void run(const std::stop_token& stop);
  [[nodiscard]] std::vector<Job> jobs_due_by(SteadyTime time) const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] std::chrono::nanoseconds time_to_next() const CAIRN_REQUIRES(mutex_);
  Result<void> run_jobs(const std::vector<Job>& jobs, const RequestContext& context);
  void finish(const Job& job, const Result<void>& result);

  StoreEnvironment& environment_;
  const Work work_;

  mutable Mutex mutex_;
  Condition wake_;
  std::unordered_map<EntryId, Job> jobs_ CAIRN_GUARDED_BY(mutex_);
  uint64_t added_ CAIRN_GUARDED_BY(mutex_) = 0;

  Thread thread_;  // last: it uses all of the above
};

}  // namespace cairn
