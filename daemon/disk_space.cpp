#include "daemon/disk_space.h"

#include <sys/statvfs.h>

#include <optional>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/wait.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kStale{1};
constexpr std::chrono::milliseconds kPatience{50};
constexpr uint64_t kNominalBytes = 1ULL << 50;

FileSystemStatfs ask(const std::vector<std::string>& directories) {
  FileSystemStatfs least{.total_bytes = kNominalBytes, .free_bytes = kNominalBytes};
  for (const std::string& directory : directories) {
    struct statvfs disk {};
    if (::statvfs(directory.c_str(), &disk) != 0) continue;
    const uint64_t free_bytes = disk.f_bavail * disk.f_frsize;
    if (free_bytes < least.free_bytes) least = {disk.f_blocks * disk.f_frsize, free_bytes};
  }
  return least;
}

}  // namespace

struct DiskSpace::State {
  explicit State(std::vector<std::string> wanted) : directories(std::move(wanted)) {}
  const std::vector<std::string> directories;
  Mutex mutex;
  Condition answered;
  bool asking CAIRN_GUARDED_BY(mutex) = false;
  std::optional<SteadyTime> asked CAIRN_GUARDED_BY(mutex);
  FileSystemStatfs last CAIRN_GUARDED_BY(mutex){.total_bytes = kNominalBytes, .free_bytes = kNominalBytes};
};

DiskSpace::DiskSpace(std::vector<std::string> directories) : state_(std::make_shared<State>(std::move(directories))) {}

FileSystemStatfs DiskSpace::now() const {
  State& state = *state_;
  MutexLock lock(state.mutex);
  const SteadyTime now = system_clock().steady_now();
  if (!state.asking && (!state.asked || now - *state.asked >= kStale)) {
    state.asking = true;
    state.asked = now;
    Thread("disk space", [shared = state_](const std::stop_token&) {
      const FileSystemStatfs found = ask(shared->directories);
      const MutexLock answer(shared->mutex);
      shared->last = found;
      shared->asking = false;
      shared->answered.notify_all();
    }).detach();
  }
  state.answered.wait_for(lock, {}, kPatience, [&state]() CAIRN_REQUIRES(state.mutex) { return !state.asking; });
  return state.last;
}

}  // namespace cairn
