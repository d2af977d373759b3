#include "store/drafts/draft_layout.h"

#include <algorithm>
#include <iterator>

namespace cairn {

bool DraftLayout::Extent::operator==(const Extent& other) const {
  const bool same_chunk = chunk == other.chunk || (chunk && other.chunk && *chunk == *other.chunk);
  return end == other.end && staged == other.staged && same_chunk;
}

DraftLayout::DraftLayout(uint64_t size_bytes, uint64_t base_limit, Extents extents)
    : size_(size_bytes), base_limit_(base_limit), extents_(std::move(extents)) {
  for (const auto& [offset, extent] : extents_) count(extent, offset, extent.end, true);
  find_written_prefix();
}

void DraftLayout::write(uint64_t offset, uint64_t length) {
  if (length == 0) return;
  assign(offset, {offset + length, true});
  size_ = std::max(size_, offset + length);
}

void DraftLayout::truncate(uint64_t size_bytes) {
  if (size_bytes < size_) erase(size_bytes, size_);
  base_limit_ = std::min(base_limit_, size_bytes);
  size_ = size_bytes;
}

void DraftLayout::punch(uint64_t offset, uint64_t length) {
  if (offset >= size_) return;
  const uint64_t end = offset + std::min(length, size_ - offset);
  if (offset < end) assign(offset, {end, false});
}

void DraftLayout::sent(const SentChunk& chunk) {
  const uint64_t end = std::min(chunk->end(), size_);
  if (chunk->offset < end) assign(chunk->offset, {end, false, chunk});
}

// What lies between the bytes that the base had so far and these becomes a zero made on purpose: it must not be the
// base's from now on.
void DraftLayout::restore(uint64_t offset, uint64_t length) {
  if (length == 0) return;
  const uint64_t end = offset + length;
  size_ = std::max(size_, end);
  for (uint64_t at = base_limit_; at < offset;) {
    const Piece piece = piece_at(at);
    if (piece.source == Source::zeros) assign(at, {std::min(piece.end(), offset), false});
    at = piece.end();
  }
  base_limit_ = std::max(base_limit_, end);
  erase(offset, end);
}

DraftLayout::Piece DraftLayout::piece_at(uint64_t offset) const {
  const auto extent = extent_after(offset);
  if (extent != extents_.end() && extent->first <= offset) return piece_of(extent, offset);
  const uint64_t gap_end = extent == extents_.end() ? size_ : extent->first;
  if (offset < base_limit_) return {offset, std::min(gap_end, base_limit_) - offset, Source::base};
  return {offset, gap_end - offset, Source::zeros};
}

DraftLayout::Piece DraftLayout::piece_of(Extents::const_iterator extent, uint64_t offset) const {
  const auto& [end, staged, chunk] = extent->second;
  return {offset, end - offset, staged ? Source::staged : chunk ? Source::sent : Source::zeros, chunk};
}

std::optional<DraftLayout::Piece> DraftLayout::staged_after(uint64_t offset) {
  const bool is_first = offset <= staged_from_;
  if (is_first) offset = staged_from_;
  auto extent = extent_after(offset);
  while (extent != extents_.end() && !extent->second.staged) ++extent;
  const uint64_t found = extent == extents_.end() ? size_ : std::max(offset, extent->first);
  if (is_first) staged_from_ = found;
  if (extent == extents_.end()) return std::nullopt;
  return piece_of(extent, found);
}

bool DraftLayout::is_all(Source source, uint64_t offset, uint64_t end) const {
  for (uint64_t at = offset; at < end;) {
    const Piece piece = piece_at(at);
    if (piece.source != source) return false;
    at = piece.end();
  }
  return true;
}

bool DraftLayout::has_any(Source source, uint64_t offset, uint64_t end) const {
  for (uint64_t at = offset; at < end;) {
    const Piece piece = piece_at(at);
    if (piece.source == source) return true;
    at = piece.end();
  }
  return false;
}

std::optional<uint64_t> DraftLayout::seek_data(uint64_t offset, const FileReader* base) const {
  for (uint64_t at = offset; at < size_;) {
    const Piece piece = piece_at(at);
    if (piece.source == Source::staged || piece.source == Source::sent) return at;
    if (piece.source == Source::base && base != nullptr) {
      const auto data = base->seek_data(at);
      if (data && *data < piece.end()) return data;
    }
    at = piece.end();
  }
  return std::nullopt;
}

std::optional<uint64_t> DraftLayout::seek_hole(uint64_t offset, const FileReader* base) const {
  if (offset >= size_) return std::nullopt;
  for (uint64_t at = offset; at < size_;) {
    const Piece piece = piece_at(at);
    if (piece.source == Source::zeros) return at;
    if (piece.source == Source::base && base != nullptr) {
      const auto hole = base->seek_hole(at);
      if (hole && *hole < piece.end()) return hole;
    }
    at = piece.end();
  }
  return size_;
}

DraftLayout::Extents::const_iterator DraftLayout::extent_after(uint64_t offset) const {
  const auto next = extents_.upper_bound(offset);
  if (next == extents_.begin()) return next;
  const auto before = std::prev(next);
  return before->second.end > offset ? before : next;
}

void DraftLayout::assign(uint64_t begin, const Extent& extent) {
  const uint64_t end = extent.end;
  const uint64_t prefix = written_prefix_;
  erase(begin, end);
  count(extent, begin, end, true);
  if (extent.staged) staged_from_ = std::min(staged_from_, begin);
  if (begin <= prefix) written_prefix_ = std::max(prefix, end);
  auto place = extents_.emplace(begin, extent).first;
  const auto next = std::next(place);
  if (next != extents_.end() && next->first == end && next->second.is_like(extent)) {
    place->second.end = next->second.end;
    extents_.erase(next);
  }
  if (place != extents_.begin()) {
    const auto before = std::prev(place);
    if (before->second.end == begin && before->second.is_like(extent)) {
      before->second.end = place->second.end;
      extents_.erase(place);
    }
  }
  find_written_prefix();
}

void DraftLayout::erase(uint64_t begin, uint64_t end) {
  written_prefix_ = std::min(written_prefix_, begin);
  auto at = extents_.lower_bound(begin);
  if (at != extents_.begin()) {
    const auto before = std::prev(at);
    const Extent old = before->second;
    if (old.end > begin) {
      before->second.end = begin;
      count(old, begin, std::min(old.end, end), false);
    }
    if (old.end > end) at = extents_.emplace(end, old).first;
  }
  while (at != extents_.end() && at->first < end) {
    const Extent old = at->second;
    count(old, at->first, std::min(old.end, end), false);
    at = extents_.erase(at);
    if (old.end > end) at = extents_.emplace(end, old).first;
  }
}

void DraftLayout::count(const Extent& extent, uint64_t begin, uint64_t end, bool added) {
  if (!extent.staged && !extent.chunk) return;
  uint64_t& bytes = extent.staged ? staged_bytes_ : sent_bytes_;
  bytes = added ? bytes + (end - begin) : bytes - (end - begin);
}

// From where it is known to reach.
void DraftLayout::find_written_prefix() {
  for (auto extent = extent_after(written_prefix_); extent != extents_.end(); ++extent) {
    if (extent->first > written_prefix_) return;
    written_prefix_ = extent->second.end;
  }
}

}  // namespace cairn
