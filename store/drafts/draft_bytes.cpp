#include "store/drafts/draft_bytes.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/mutex.h"
#include "store/drafts/local_io.h"

namespace cairn {

namespace {

constexpr size_t kCopyBytes = 1U << 20;

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
  journal_.wrote(offset, bytes.size());
  return {};
}

bool DraftBytes::truncate(uint64_t size_bytes) {
  const WriterLock disk(disk_);
  uint64_t old_size = 0;
  {
    const MutexLock lock(mutex_);
    old_size = layout_.size_bytes();
    layout_.truncate(size_bytes);
    journal_.truncated(size_bytes);
  }
  // Nothing reads what was cut off any more; this only gives its disk back, and a disk that cannot keeps it.
  if (size_bytes < old_size) (void)!::ftruncate(staging_->fd(), static_cast<off_t>(size_bytes));
  return size_bytes != old_size;
}

void DraftBytes::punch(uint64_t offset, uint64_t length) {
  const WriterLock disk(disk_);
  {
    const MutexLock lock(mutex_);
    layout_.punch(offset, length);
    journal_.punched(offset, length);
  }
  drop_staged(offset, length);
}

void DraftBytes::restore(uint64_t offset, uint64_t length) {
  const WriterLock disk(disk_);
  {
    const MutexLock lock(mutex_);
    layout_.restore(offset, length);
    journal_.restored(offset, length);
  }
  drop_staged(offset, length);
}

// As with truncate, but a disk that cannot punch holes may leave the bytes where they are.
void DraftBytes::drop_staged(uint64_t offset, uint64_t length) {
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

Result<std::unique_ptr<StagingFile>> DraftBytes::copy_staged(StagingArea& area) const {
  auto copy = area.create();
  if (!copy) return copy;
  if (::ioctl((*copy)->fd(), FICLONE, staging_->fd()) == 0) return copy;
  const DraftLayout layout = this->layout();
  std::vector<std::byte> buffer(kCopyBytes);
  for (const auto& [begin, extent] : layout.extents()) {
    if (!extent.staged) continue;
    for (uint64_t at = begin; at < extent.end;) {
      const MutableByteView piece(buffer.data(), std::min<uint64_t>(buffer.size(), extent.end - at));
      if (auto read = read_fully(staging_->fd(), at, piece); !read) return fail(std::move(read).error());
      if (auto written = write_fully((*copy)->fd(), at, piece); !written) return fail(std::move(written).error());
      at += piece.size();
    }
  }
  return copy;
}

Result<void> DraftBytes::note(const std::function<std::string(const DraftLayout&)>& describe) {
  const WriterLock disk(disk_);
  const MutexLock lock(mutex_);
  auto noted = staging_->note(describe(layout_));
  journal_.restart();
  return noted;
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

bool DraftBytes::is_blank() const {
  const MutexLock lock(mutex_);
  return layout_.is_all(DraftLayout::Source::zeros, 0, layout_.size_bytes());
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
