// What a mount's daemon answers to the commands.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/wait.h"
#include "daemon/control.h"
#include "daemon/mounted_store.h"

namespace cairn {

// {"op": "status"}                    what `cairnfs status --json` prints
// {"op": "log", "path": "a/b"}        load_history()
// {"op": "prefetch", "paths": […]}    brings all files there and below, and what links there lead to, into the cache:
//                                     {"files", "bytes", "present_bytes", "fetched_bytes", "cache_capacity_bytes",
//                                     "failed": [{"path", "error"}…]}
// {"op": "sync", "timeout_ns": 1}     {} once all that was closed and changed before is in the store
// {"op": "kept_list"}                 {"kept": […]}: what status calls "unpublished", and what is queued
// {"op": "kept_export", "number": 7, "path": "/new/file"}, {"op": "kept_publish", "number": 7},
// {"op": "kept_discard", "number": 7} {}
// {"op": "await_end"}                 says so as its progress, waits until the mount has ended, and then answers
//                                     {"unpublished": […], "cache_dir": "…"}
//
// Thread-safety: all methods may be called from any thread.
// Ownership: borrows the store, which outlives it.
class MountService {
 public:
  struct About {
    std::string url;
    std::string mountpoint;
    std::string cache_dir;
    std::string log_file;             // "": the terminal
    uint64_t group_memory_bytes = 0;  // MountPlan's
  };
  MountService(MountedStore& store, About about);

  Result<Json> handle(const Json& request, const ProgressFunction& progress, const std::stop_token& stop);

  // The filesystem has shut down: commands that await the end are told which files are left unpublished.
  void announce_end();

 private:
  [[nodiscard]] Json status() const;
  // Closes that wait for their turn are no trouble, but a person may ask for them.
  enum class Queued { left_out, listed };
  [[nodiscard]] Json unpublished(Queued queued) const;
  Result<Json> sync(const Json& request, const std::stop_token& stop);
  Result<Json> kept(const std::string& op, const Json& request, const std::stop_token& stop);
  Result<Json> prefetch(const std::vector<std::string>& paths, const ProgressFunction& progress,
                        const std::stop_token& stop);
  struct Wanted {
    std::vector<std::string> names;
    std::vector<VersionPtr> versions;
  };
  // Each file once, however many links lead to it; links that lead nowhere in this mount count only if they were named.
  Result<Wanted> files_at(const std::vector<std::string>& paths, const std::stop_token& stop);
  // With links followed (daemon/links.h).
  Result<std::string> resolved(const std::string& path, bool keeps_history, const std::stop_token& stop);
  Result<Json> await_end(const ProgressFunction& progress, const std::stop_token& stop);

  MountedStore& store_;
  const About about_;
  const SteadyTime started_;
  Mutex mutex_;
  Condition ended_;
  std::optional<Json> last_words_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
