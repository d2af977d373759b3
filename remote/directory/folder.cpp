#include "remote/directory/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "remote/directory/file_error.h"

namespace cairn {

namespace {

constexpr int64_t kMostSeconds = 9'000'000'000LL;  // of a file's time from 1970, as nanoseconds in 64 bits

// Its kind as the directory itself says, or as the file's inode does where the directory does not.
std::optional<Folder::Kind> kind_of(int folder_fd, const dirent& entry) {
  if (entry.d_type == DT_REG) return Folder::Kind::file;
  if (entry.d_type == DT_DIR) return Folder::Kind::folder;
  struct stat status {};
  if (entry.d_type != DT_UNKNOWN || ::fstatat(folder_fd, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (S_ISREG(status.st_mode)) return Folder::Kind::file;
  if (S_ISDIR(status.st_mode)) return Folder::Kind::folder;
  return {};
}

}  // namespace

Result<Folder> Folder::open_root(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid()) return Folder(std::move(fd));
  if (errno == ENOTDIR) return fail(Errc::invalid_argument, "'{}' is not a directory", path);
  return fail(file_error(errno, "open " + path));
}

Result<Folder> Folder::enter(const std::string& name, int flags) const {
  UniqueFd fd(::openat(fd_.get(), name.c_str(), flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return fail(file_error(errno, "folder " + name));
  return Folder(std::move(fd));
}

Result<Folder> Folder::open_folder(const std::string& name) const { return enter(name, O_RDONLY); }

Result<Folder> Folder::walk(std::string_view path) const {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return open_folder(path.empty() ? "." : std::string(path));
  const auto next = enter(std::string(path.substr(0, slash)), O_PATH);  // passing through asks no server anything
  if (!next) return fail(next.error());
  return next->walk(path.substr(slash + 1));
}

Result<UniqueFd> Folder::open_file(const std::string& name, uint64_t* size_bytes) const {
  // O_NONBLOCK: a fifo somebody put here must not make us wait for its writer.
  UniqueFd fd(::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return fail(file_error(errno, name));
  if (!S_ISREG(status.st_mode)) return fail(Errc::not_found, "{}: not a regular file", name);
  *size_bytes = static_cast<uint64_t>(status.st_size);
  return fd;
}

Result<Nanos> Folder::written_at(const UniqueFd& file) {
  struct statx status {};
  constexpr int kAskTheServer = AT_EMPTY_PATH | AT_STATX_FORCE_SYNC;
  if (::statx(file.get(), "", kAskTheServer, STATX_MTIME, &status) != 0) return fail(file_error(errno, "statx"));
  const auto seconds = std::clamp<int64_t>(status.stx_mtime.tv_sec, -kMostSeconds, kMostSeconds);
  return seconds * 1'000'000'000 + status.stx_mtime.tv_nsec;
}

Result<uint64_t> Folder::size_of(const std::string& name) const {
  struct stat status {};
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return fail(file_error(errno, name));
  if (!S_ISREG(status.st_mode)) return fail(Errc::not_found, "{}: not a regular file", name);
  return static_cast<uint64_t>(status.st_size);
}

Result<void> Folder::for_each_name(const Visit& visit) const {
  auto own = open_folder(".");  // with a position of its own, so that threads do not share one
  if (!own) return fail(std::move(own).error());
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own->fd_.get()), ::closedir);
  if (!stream) return fail(file_error(errno, "read folder"));
  const int fd = own->fd_.release();  // the stream's now
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    const auto kind = name == "." || name == ".." ? std::nullopt : kind_of(fd, *entry);
    if (!kind) continue;
    if (auto visited = visit(name, *kind); !visited) return visited;
  }
  if (errno != 0) return fail(file_error(errno, "read folder"));
  return {};
}

// Closed until it has its mode: the umask could only leave out what the group is to have.
Result<void> Folder::make_folder(const std::string& name, const Sharing& sharing) const {
  if (::mkdirat(fd_.get(), name.c_str(), Sharing{}.folders) != 0) {
    if (errno == EEXIST) return {};
    return fail(file_error(errno, "make folder " + name));
  }
  if (sharing.folders == Sharing{}.folders) return {};
  if (::fchmodat(fd_.get(), name.c_str(), sharing.folders, 0) == 0) return {};
  return fail(file_error(errno, "make folder " + name));
}

// The group's members are hosts that share the store: that it is theirs is what the set-group-id bit says.
Result<Sharing> Folder::sharing() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return fail(file_error(errno, "look at the folder"));
  Sharing sharing;
  if ((status.st_mode & S_ISGID) == 0 || (status.st_mode & S_IRWXG) == 0) return sharing;
  sharing.folders |= S_ISGID | (status.st_mode & S_IRWXG);
  sharing.objects |= status.st_mode & S_IRGRP;
  return sharing;
}

bool Folder::is_open_to_others() const {
  struct stat status {};
  return ::fstat(fd_.get(), &status) == 0 && (status.st_mode & S_IRWXO) != 0;
}

Result<bool> Folder::unlink(const std::string& name) const {
  if (::unlinkat(fd_.get(), name.c_str(), 0) == 0) return true;
  if (errno == ENOENT) return false;
  return fail(file_error(errno, name));
}

Result<void> Folder::sync() const {
  // EINVAL: a file system that has no fsync for directories (some FUSE and SMB ones) has made the name durable itself,
  // or never will.
  if (::fsync(fd_.get()) == 0 || errno == EINVAL) return {};
  return fail(file_error(errno, "sync folder"));
}

std::string_view folder_of(std::string_view key) {
  const size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : key.substr(0, slash);
}

std::string leaf_of(std::string_view key) { return std::string(key.substr(key.rfind('/') + 1)); }

}  // namespace cairn
