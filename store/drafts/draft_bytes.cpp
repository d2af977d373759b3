#include "store/drafts/draft_bytes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/mutex.h"

namespace cairn {

namespace {

// Bytes that a truncate took away meanwhile read as zeros.
Result<void> read_fully(int fd, uint64_t offset, MutableByteView out) {
  while (!out.empty()) {
    const ssize_t count = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(error_from_errno(errno, "read the staging file"));
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
    if (count < 0) return fail(error_from_errno(errno, "write the staging file"));
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

}  // namespace

Result<size_t> DraftBytes::read(uint64_t offset, MutableByteView out, const RequestContext& context) const {
  std::vector<DraftLayout::Piece> pieces;
  size_t length = 0;
  {
    const MutexLock lock(mutex_);
    if (offset >= layout_.size_bytes()) return 0;
    length = std::min<uint64_t>(out.size(), layout_.size_bytes() - offset);
    for (uint64_t at = offset; at < offset + length; at = pieces.back().end()) {
      pieces.push_back(layout_.piece_at(at));
      pieces.back().length = std::min(pieces.back().length, offset + length - at);
    }
  }
  for (const DraftLayout::Piece& piece : pieces) {
    auto read = read_piece(piece, out.subspan(piece.offset - offset, piece.length), context);
    if (!read) return fail(std::move(read).error());
  }
  return length;
}

Result<void> DraftBytes::read_piece(const DraftLayout::Piece& piece, MutableByteView out,
                                    const RequestContext& context) const {
  if (piece.source == DraftLayout::Source::staged) return read_fully(staging_->fd(), piece.offset, out);
  if (piece.source == DraftLayout::Source::base) {
    auto count = base_->read(piece.offset, out, context);
    if (!count) return fail(std::move(count).error());
    return {};
  }
  std::ranges::fill(out, std::byte{0});
  return {};
}

Result<void> DraftBytes::write(uint64_t offset, ByteView bytes) {
  const ReaderLock disk(disk_);
  auto written = write_fully(staging_->fd(), offset, bytes);
  if (!written) return written;
  const MutexLock lock(mutex_);
  layout_.write(offset, bytes.size());
  return {};
}

Result<bool> DraftBytes::truncate(uint64_t size_bytes) {
  const WriterLock disk(disk_);
  uint64_t old_size = 0;
  {
    const MutexLock lock(mutex_);
    old_size = layout_.size_bytes();
    layout_.truncate(size_bytes);
  }
  // The layout first: nothing reads the bytes that are cut off any more, and this only gives their disk back.
  if (size_bytes < old_size && ::ftruncate(staging_->fd(), static_cast<off_t>(size_bytes)) != 0) {
    return fail(error_from_errno(errno, "truncate the staging file"));
  }
  return size_bytes != old_size;
}

void DraftBytes::punch(uint64_t offset, uint64_t length) {
  const WriterLock disk(disk_);
  {
    const MutexLock lock(mutex_);
    layout_.punch(offset, length);
  }
  // As with truncate, but a disk that cannot punch holes may leave the bytes where they are.
  ::fallocate(staging_->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
              static_cast<off_t>(length));
}

Result<void> DraftBytes::reserve(uint64_t offset, uint64_t length) {
  const ReaderLock disk(disk_);
  const int failed =
      ::fallocate(staging_->fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(length));
  if (failed == 0 || errno == EOPNOTSUPP) return {};
  return fail(error_from_errno(errno, "reserve local disk"));
}

DraftLayout DraftBytes::layout() const {
  const MutexLock lock(mutex_);
  return layout_;
}

uint64_t DraftBytes::size_bytes() const {
  const MutexLock lock(mutex_);
  return layout_.size_bytes();
}

uint64_t DraftBytes::staged_prefix() const {
  const MutexLock lock(mutex_);
  return layout_.staged_prefix();
}

uint64_t DraftBytes::data_bytes() const {
  const MutexLock lock(mutex_);
  const uint64_t of_base = base_ ? base_->size_bytes() - base_->version()->hole_bytes : 0;
  return std::min(layout_.size_bytes(), layout_.staged_bytes() + std::min(of_base, layout_.base_limit()));
}

std::optional<uint64_t> DraftBytes::seek_data(uint64_t offset) const {
  const MutexLock lock(mutex_);
  return layout_.seek_data(offset, base_.get());
}

std::optional<uint64_t> DraftBytes::seek_hole(uint64_t offset) const {
  const MutexLock lock(mutex_);
  return layout_.seek_hole(offset, base_.get());
}

}  // namespace cairn
