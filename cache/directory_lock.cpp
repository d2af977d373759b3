#include "cache/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace cairn {

namespace {

std::string holder_of(const std::string& lock_path) {
  auto pid = read_whole_file(lock_path);
  return pid && !pid->empty() ? "pid " + *pid : "another process";
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory, const std::string& shown_as) {
  const std::string path = directory + "/lock";
  auto file = open_file(path, O_RDWR | O_CREAT);
  if (!file) return fail(std::move(file).error());
  if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail(error_from_errno(errno, fmt::format("lock '{}'", path)));
    return fail(Errc::conflict, "cache directory '{}' is in use by {}: give this mount its own with --cache-dir",
                shown_as, holder_of(path));
  }
  // The pid is a courtesy: a full disk must not keep the lock from its owner.
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file->get(), 0) != 0 || ::pwrite(file->get(), pid.data(), pid.size(), 0) < 0) errno = 0;
  return DirectoryLock(std::move(*file));
}

}  // namespace cairn
