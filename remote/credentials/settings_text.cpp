#include "remote/credentials/settings_text.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace cairn {

namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

Result<std::string> read_to_end(int fd, const std::string& path) {
  std::string text(kMaxFileBytes + 1, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(error_from_errno(errno, path));
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kMaxFileBytes) return fail(Errc::invalid_argument, "{} has more than 1 MiB", path);
  text.resize(size);
  return text;
}

}  // namespace

bool is_visible_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

Result<std::optional<std::string>> load_settings_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!file.valid()) return fail(error_from_errno(errno, path));
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail(error_from_errno(errno, path));
  if (!S_ISREG(status.st_mode)) return fail(Errc::invalid_argument, "{} is no regular file", path);
  auto text = read_to_end(file.get(), path);
  if (!text) return fail(std::move(text).error());
  return std::optional<std::string>(std::move(*text));
}

}  // namespace cairn
