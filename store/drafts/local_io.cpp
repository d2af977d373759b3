#include "store/drafts/local_io.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace cairn {

Result<void> read_fully(int fd, uint64_t offset, MutableByteView out) {
  while (!out.empty()) {
    const ssize_t count = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(error_from_errno(errno, "read a local file"));
    if (count == 0) break;
    out = out.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  std::ranges::fill(out, std::byte{0});
  return {};
}

Result<void> write_fully(int fd, uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(error_from_errno(errno, "write a local file"));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

}  // namespace cairn
