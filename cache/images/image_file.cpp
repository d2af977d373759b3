#include "cache/images/image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cache/local_files.h"

namespace cairn {

namespace {

constexpr uint64_t kBlock = Buffer::kPageBytes;  // a multiple of what any disk and file system asks for
constexpr uint64_t kWorthDirect = 2 << 20;  // smaller reads are a reader's own, who may come again: the page cache's

// A stretch of a file: what lies before its first whole block, the whole blocks, and the rest.
struct Parts {
  uint64_t head;
  uint64_t blocks;
};
Parts parts_of(uint64_t offset, uint64_t size) {
  const uint64_t head = std::min(size, (kBlock - offset % kBlock) % kBlock);
  return {head, (size - head) / kBlock * kBlock};
}

bool lies_like(uint64_t offset, const std::byte* memory) {
  return reinterpret_cast<uintptr_t>(memory) % kBlock == offset % kBlock;
}

}  // namespace

Result<std::unique_ptr<ImageFile>> ImageFile::create(const std::string& path, uint64_t size_bytes) {
  ::unlink(path.c_str());
  auto file = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (!file) return fail(std::move(file).error());
  if (::ftruncate(file->get(), static_cast<off_t>(size_bytes)) != 0) {
    const int code = errno;
    ::unlink(path.c_str());
    return fail(error_from_errno(code, fmt::format("make '{}' {} bytes long", path, size_bytes)));
  }
  return open_all(path, std::move(*file));
}

Result<std::unique_ptr<ImageFile>> ImageFile::open(const std::string& path, uint64_t size_bytes) {
  auto file = open_file(path, O_RDWR);
  if (!file) return fail(std::move(file).error());
  struct stat status {};
  if (::fstat(file->get(), &status) != 0) return fail(error_from_errno(errno, fmt::format("stat '{}'", path)));
  if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) != size_bytes) {
    return fail(Errc::corrupt, "'{}' has {} bytes, not {}", path, status.st_size, size_bytes);
  }
  return open_all(path, std::move(*file));
}

// Without read-ahead: beside what is asked for may lie what is still on its way to the disk.
Result<std::unique_ptr<ImageFile>> ImageFile::open_all(const std::string& path, UniqueFd cached) {
  auto reader = open_file(path, O_RDONLY);
  if (!reader) return fail(std::move(reader).error());
  auto direct = open_file(path, O_RDWR | O_DIRECT);
  ::posix_fadvise(cached.get(), 0, 0, POSIX_FADV_RANDOM);
  return std::unique_ptr<ImageFile>(new ImageFile(std::move(cached), direct ? std::move(*direct) : UniqueFd(),
                                                  std::make_shared<const UniqueFd>(std::move(*reader))));
}

Result<void> ImageFile::write(uint64_t offset, ByteView bytes) {
  const auto [head, blocks] = parts_of(offset, bytes.size());
  if (!direct_.valid() || blocks == 0) return write_at(cached_.get(), offset, bytes);
  ByteView middle = bytes.subspan(head, blocks);
  Buffer copy;
  if (!lies_like(offset, bytes.data())) {
    copy = Buffer::placed(blocks, 0);
    std::memcpy(copy.data(), middle.data(), middle.size());
    middle = copy.view();
  }
  if (auto written = write_at(cached_.get(), offset, bytes.first(head)); !written) return written;
  if (auto written = write_at(direct_.get(), offset + head, middle); !written) return written;
  return write_at(cached_.get(), offset + head + blocks, bytes.subspan(head + blocks));
}

Result<void> ImageFile::read(uint64_t offset, MutableByteView out) const {
  const auto [head, blocks] = parts_of(offset, out.size());
  if (!direct_.valid() || blocks < kWorthDirect || !lies_like(offset, out.data()))
    return read_at(cached_.get(), offset, out);
  if (auto got = read_at(cached_.get(), offset, out.first(head)); !got) return got;
  if (auto got = read_at(direct_.get(), offset + head, out.subspan(head, blocks)); !got) return got;
  return read_at(cached_.get(), offset + head + blocks, out.subspan(head + blocks));
}

Result<void> ImageFile::punch(uint64_t offset, uint64_t length) {
  const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (::fallocate(cached_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0) return {};
  return fail(error_from_errno(errno, "punch a hole into an image"));
}

uint64_t ImageFile::inode() const {
  struct stat status {};
  return ::fstat(cached_.get(), &status) == 0 ? status.st_ino : 0;
}

Result<void> ImageFile::sync() {
  if (::fdatasync(cached_.get()) != 0) return fail(error_from_errno(errno, "sync an image"));
  return {};
}

}  // namespace cairn
