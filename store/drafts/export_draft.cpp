#include "store/drafts/export_draft.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/unique_fd.h"
#include "store/drafts/local_io.h"

namespace cairn {

namespace {

constexpr size_t kPieceBytes = 1U << 20;

Result<void> copy(const DraftBytes& draft, int fd, const RequestContext& context) {
  const uint64_t size = draft.size_bytes();
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return fail(error_from_errno(errno, "size the export"));
  std::vector<std::byte> piece(kPieceBytes);
  for (auto data = draft.seek_data(0); data && *data < size; data = draft.seek_data(*data)) {
    const uint64_t end = std::min(draft.seek_hole(*data).value_or(size), size);
    while (*data < end) {
      auto count = draft.read(*data, MutableByteView(piece).first(std::min(kPieceBytes, end - *data)), context);
      if (!count) return fail(std::move(count).error());
      if (auto written = write_fully(fd, *data, ByteView(piece).first(*count)); !written) return written;
      if (*count == 0) return fail(Errc::io, "a draft became shorter while it was read");
      *data += *count;
    }
  }
  if (::fsync(fd) != 0) return fail(error_from_errno(errno, "fsync the export"));
  return {};
}

}  // namespace

Result<void> export_draft(const DraftBytes& draft, const std::string& path, const RequestContext& context) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.get() < 0) return fail(error_from_errno(errno, path));
  auto copied = copy(draft, file.get(), context);
  if (!copied) ::unlink(path.c_str());
  return copied;
}

}  // namespace cairn
