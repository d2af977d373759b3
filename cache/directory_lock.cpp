#include "cache/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "base/wait.h"

namespace cairn {

namespace {

// The kernel needs a moment to end a process that was killed: a mount that follows right away waits for that.
constexpr std::chrono::seconds kMostOfDying{1};
constexpr std::chrono::milliseconds kBetweenTries{20};

bool lock_soon(int fd) {
  const auto context = RequestContext::within(kMostOfDying);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK || !pause(kBetweenTries, context)) {
      errno = error;
      return false;
    }
  }
  return true;
}

std::string holder_of(const std::string& lock_path) {
  auto pid = read_whole_file(lock_path);
  return pid && !pid->empty() ? "pid " + *pid : "another process";
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory, const std::string& shown_as) {
  const std::string path = directory + "/lock";
  auto file = open_file(path, O_RDWR | O_CREAT);
  if (!file) return fail(std::move(file).error());
  if (!lock_soon(file->get())) {
    if (errno != EWOULDBLOCK) return fail(error_from_errno(errno, fmt::format("lock '{}'", path)));
    return fail(Errc::conflict, "cache directory '{}' is in use by {}: give this mount its own with --cache-dir",
                shown_as, holder_of(path));
  }
  // The pid is a courtesy: a full disk must not make the lock fail.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file->get(), 0) != 0 || ::pwrite(file->get(), pid.data(), pid.size(), 0) < 0) errno = 0;
  return DirectoryLock(std::move(*file));
}

bool DirectoryLock::is_removed() const { return was_removed(file_.get()); }

}  // namespace cairn
