#include "cache/local_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <limits>
#include <span>

namespace cairn {

namespace {

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(error_from_errno(errno, fmt::format("write '{}'", path)));
    content.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Result<void> write_and_sync(const std::string& path, std::string_view content) {
  auto file = open_file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return fail(std::move(file).error());
  if (auto written = write_all(file->get(), content, path); !written) return written;
  if (::fsync(file->get()) != 0) return fail(error_from_errno(errno, fmt::format("fsync '{}'", path)));
  return {};
}

// Calls `transfer` (pread or pwrite) until all of `bytes` is done.
template <class Byte, class Transfer>
Result<void> transfer_all(int fd, uint64_t offset, std::span<Byte> bytes, const Transfer& transfer, const char* what) {
  while (!bytes.empty()) {
    const ssize_t count = transfer(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(error_from_errno(errno, what));
    if (count == 0) return fail(Errc::io, "{}: the file ends at {}", what, offset);
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

Error of_another_user(const std::string& path, const struct stat& status) {
  return {Errc::permission_denied,
          fmt::format("'{}' belongs to uid {}: choose one that is uid {}'s", path, status.st_uid, ::geteuid())};
}

}  // namespace

Result<UniqueFd> open_file(const std::string& path, int flags) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return fail(error_from_errno(errno, fmt::format("open '{}'", path)));
  struct stat status {};
  if ((flags & O_CREAT) == 0) return fd;
  if (::fstat(fd.get(), &status) != 0) return fail(error_from_errno(errno, fmt::format("stat '{}'", path)));
  if (S_ISREG(status.st_mode) && status.st_uid != ::geteuid()) return fail(of_another_user(path, status));
  return fd;
}

Result<void> make_directories(const std::string& path) {
  std::filesystem::path made;
  for (const auto& part : std::filesystem::path(path)) {
    made /= part;
    if (::mkdir(made.c_str(), 0700) == 0 || errno == EEXIST) continue;
    return fail(error_from_errno(errno, fmt::format("create directory '{}'", made.string())));
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail(error_from_errno(errno, fmt::format("stat '{}'", path)));
  if (!S_ISDIR(status.st_mode)) return fail(Errc::invalid_argument, "'{}' is not a directory", path);
  if (status.st_uid != ::geteuid()) return fail(of_another_user(path, status));
  // Where it is sticky, as /tmp is, others can add names but not take ours away.
  const bool changed_by_others = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0;
  if (!changed_by_others) return {};
  return fail(Errc::permission_denied, "'{}' may be changed by other users: `chmod go-w`, or choose another", path);
}

bool was_removed(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && status.st_nlink == 0;
}

Result<void> sync_directory(const std::string& path) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (!directory) return fail(std::move(directory).error());
  if (::fsync(directory->get()) != 0) return fail(error_from_errno(errno, fmt::format("fsync '{}'", path)));
  return {};
}

Result<void> write_at(int fd, uint64_t offset, ByteView bytes) {
  return transfer_all(fd, offset, bytes, ::pwrite, "write to the cache directory");
}

Result<void> read_at(int fd, uint64_t offset, MutableByteView out) {
  return transfer_all(fd, offset, out, ::pread, "read from the cache directory");
}

DiskRoom disk_room(const std::string& path) {
  constexpr uint64_t kEndless = std::numeric_limits<uint64_t>::max() / 2;
  struct statvfs disk {};
  if (::statvfs(path.c_str(), &disk) != 0) return {kEndless, kEndless};
  return {disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize};
}

Result<std::string> read_whole_file(const std::string& path) {
  auto file = open_file(path, O_RDONLY);
  if (!file) return fail(std::move(file).error());
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t got = ::read(file->get(), buffer, sizeof buffer);
    if (got == 0) return content;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(error_from_errno(errno, fmt::format("read '{}'", path)));
    content.append(buffer, static_cast<size_t>(got));
  }
}

Result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  if (auto written = write_and_sync(temporary, content); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(error_from_errno(errno, fmt::format("rename '{}'", temporary)));
  }
  return sync_directory(std::filesystem::path(path).parent_path().string());
}

}  // namespace cairn
