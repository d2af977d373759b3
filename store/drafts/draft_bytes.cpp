#include "store/drafts/draft_bytes.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "store/drafts/local_io.h"

namespace cairn {

namespace {

constexpr size_t kCopyBytes = 1U << 20;

}  // namespace

DraftBytes::DraftBytes(std::unique_ptr<StagingFile> staging, std::shared_ptr<FileReader> base, ChunkReader* chunks,
                       DraftLayout layout, Changed changed, bool is_kept)
    : staging_(std::move(staging)),
      base_(std::move(base)),
      chunks_(chunks),
      changed_(std::move(changed)),
      kept_(is_kept),
      layout_(std::move(layout)),
      journal_(*staging_) {
  staging_->count(layout_.staged_bytes());
}

Result<size_t> DraftBytes::read(uint64_t offset, MutableByteView out, const RequestContext& context) const {
  const uint64_t size = size_bytes();
  if (offset >= size) return 0;
  out = out.first(std::min<uint64_t>(out.size(), size - offset));
  for (size_t done = 0; done < out.size();) {
    auto read = read_piece(offset + done, out.subspan(done), context);
    if (!read) return fail(std::move(read).error());
    done += *read;
  }
  return out.size();
}

// Of one source; how many bytes. What a truncate has cut off meanwhile is zeros.
Result<uint64_t> DraftBytes::read_piece(uint64_t offset, MutableByteView out, const RequestContext& context) const {
  DraftLayout::Piece piece{offset, out.size()};
  {
    const ReaderLock disk(disk_);
    {
      const MutexLock lock(mutex_);
      if (offset < layout_.size_bytes()) piece = layout_.piece_at(offset);
    }
    piece.length = std::min<uint64_t>(piece.length, out.size());
    out = out.first(piece.length);
    if (piece.source == DraftLayout::Source::staged) {
      auto read = read_fully(staging_->fd(), offset, out);
      if (!read) return fail(std::move(read).error());
      return piece.length;
    }
  }
  if (auto read = read_elsewhere(piece, out, context); !read) return fail(std::move(read).error());
  return piece.length;
}

Result<void> DraftBytes::read_elsewhere(const DraftLayout::Piece& piece, MutableByteView out,
                                        const RequestContext& context) const {
  if (piece.source == DraftLayout::Source::sent) {
    check(chunks_ != nullptr, "who opens a draft of which parts were sent has a reader for them");
    return chunks_->read(*piece.chunk, piece.offset - piece.chunk->offset, out, context);
  }
  if (piece.source == DraftLayout::Source::base) {
    auto count = base_->read(piece.offset, out, context);
    if (!count) return fail(std::move(count).error());
    return {};
  }
  std::ranges::fill(out, std::byte{0});
  return {};
}

void DraftBytes::changed(uint64_t begin, uint64_t end) {
  if (changed_) changed_(begin, end);
}

// Also after a failure they have changed: part of the bytes may have replaced staged ones.
Result<void> DraftBytes::write(uint64_t offset, ByteView bytes) {
  const ReaderLock disk(disk_);
  auto written = write_fully(staging_->fd(), offset, bytes);
  if (written) {
    const MutexLock lock(mutex_);
    layout_.write(offset, bytes.size());
    journal_.wrote(offset, bytes.size());
    staging_->count(layout_.staged_bytes());
  }
  changed(offset, offset + bytes.size());
  return written;
}

bool DraftBytes::truncate(uint64_t size_bytes) {
  const WriterLock disk(disk_);
  uint64_t old_size = 0;
  {
    const MutexLock lock(mutex_);
    old_size = layout_.size_bytes();
    if (size_bytes == old_size) return false;
    layout_.truncate(size_bytes);
    journal_.truncated(size_bytes);
    staging_->count(layout_.staged_bytes());
  }
  changed(size_bytes, std::numeric_limits<uint64_t>::max());
  // Nothing reads what was cut off any more; this only gives its disk back, and a disk that cannot keeps it.
  if (size_bytes < old_size) (void)!::ftruncate(staging_->fd(), static_cast<off_t>(size_bytes));
  return true;
}

void DraftBytes::punch(uint64_t offset, uint64_t length) {
  const WriterLock disk(disk_);
  {
    const MutexLock lock(mutex_);
    layout_.punch(offset, length);
    journal_.punched(offset, length);
    staging_->count(layout_.staged_bytes());
  }
  changed(offset, offset + length);
  punch_disk(offset, length);
}

void DraftBytes::restore(uint64_t offset, uint64_t length) {
  const WriterLock disk(disk_);
  {
    const MutexLock lock(mutex_);
    layout_.restore(offset, length);
    journal_.restored(offset, length);
    staging_->count(layout_.staged_bytes());
  }
  changed(offset, offset + length);
  punch_disk(offset, length);
}

// As with truncate, but a disk that cannot punch holes may leave the bytes where they are.
void DraftBytes::punch_disk(uint64_t offset, uint64_t length) {
  ::fallocate(staging_->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
              static_cast<off_t>(length));
}

// The log first: after a crash at any point the bytes are in the one place or the other.
void DraftBytes::give_back(const PlannedChunk& cut, const std::optional<ChunkRef>& chunk,
                           const std::function<bool()>& is_current) {
  const WriterLock disk(disk_);
  if (kept_ || !is_current()) return;
  {
    const MutexLock lock(mutex_);
    if (!layout_.has_any(DraftLayout::Source::staged, cut.offset, cut.offset + cut.size)) return;
    if (!chunk) {
      layout_.punch(cut.offset, cut.size);
      journal_.punched(cut.offset, cut.size);
    } else if (journal_.sent(*chunk)) {
      layout_.sent(std::make_shared<const ChunkRef>(*chunk));
    } else {
      return;
    }
  }
  punch_disk(cut.offset, cut.size);
  const MutexLock lock(mutex_);
  staging_->count(layout_.staged_bytes());
}

Result<void> DraftBytes::reserve(uint64_t offset, uint64_t length) const {
  const ReaderLock disk(disk_);
  const int failed =
      ::fallocate(staging_->fd(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset), static_cast<off_t>(length));
  if (failed == 0 || errno == EOPNOTSUPP) return {};
  return fail(error_from_errno(errno, "reserve local disk"));
}

Result<std::unique_ptr<StagingFile>> DraftBytes::copy_staged(StagingArea& area, uint32_t user,
                                                             const RequestContext& context) const {
  auto copy = area.create(user);
  if (!copy) return copy;
  if (::ioctl((*copy)->fd(), FICLONE, staging_->fd()) == 0) return copy;
  const DraftLayout layout = this->layout();
  std::vector<std::byte> buffer(kCopyBytes);
  for (const auto& [begin, extent] : layout.extents()) {
    if (!extent.staged) continue;
    for (uint64_t at = begin; at < extent.end;) {
      if (auto live = context.check(); !live) return fail(live.error().in("copy what is kept of a file"));
      const MutableByteView piece(buffer.data(), std::min<uint64_t>(buffer.size(), extent.end - at));
      if (auto read = read_fully(staging_->fd(), at, piece); !read) return fail(std::move(read).error());
      if (auto written = write_fully((*copy)->fd(), at, piece); !written) return fail(std::move(written).error());
      at += piece.size();
    }
  }
  return copy;
}

Result<void> DraftBytes::note(const Describe& describe) {
  const WriterLock disk(disk_);
  const MutexLock lock(mutex_);
  auto noted = staging_->note(describe(layout_));
  journal_.restart();
  return noted;
}

Result<void> DraftBytes::keep(const Describe& describe) {
  give_nothing_back();
  return staging_->keep(describe(layout()));
}

Result<void> DraftBytes::keep_briefly(const Describe& describe) {
  give_nothing_back();
  return staging_->keep_briefly(describe(layout()));
}

// So that what the description says of the layout stays true.
void DraftBytes::give_nothing_back() {
  const WriterLock disk(disk_);
  kept_ = true;
}

void DraftBytes::release() {
  const WriterLock disk(disk_);
  staging_->release();
  kept_ = false;
}

DraftLayout DraftBytes::layout() const {
  const MutexLock lock(mutex_);
  return layout_;
}

uint64_t DraftBytes::size_bytes() const {
  const MutexLock lock(mutex_);
  return layout_.size_bytes();
}

uint64_t DraftBytes::written_prefix() const {
  const MutexLock lock(mutex_);
  return layout_.written_prefix();
}

uint64_t DraftBytes::staged_bytes() const {
  const MutexLock lock(mutex_);
  return layout_.staged_bytes();
}

std::optional<DraftLayout::Piece> DraftBytes::staged_after(uint64_t offset) {
  const MutexLock lock(mutex_);
  return layout_.staged_after(offset);
}

bool DraftBytes::has_any(DraftLayout::Source source, uint64_t offset, uint64_t end) const {
  const MutexLock lock(mutex_);
  return layout_.has_any(source, offset, std::min(end, layout_.size_bytes()));
}

bool DraftBytes::is_blank() const {
  const MutexLock lock(mutex_);
  return layout_.is_all(DraftLayout::Source::zeros, 0, layout_.size_bytes());
}

uint64_t DraftBytes::data_bytes() const {
  const MutexLock lock(mutex_);
  const uint64_t of_base = base_ ? base_->size_bytes() - base_->version()->hole_bytes : 0;
  return std::min(layout_.size_bytes(),
                  layout_.staged_bytes() + layout_.sent_bytes() + std::min(of_base, layout_.base_limit()));
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
