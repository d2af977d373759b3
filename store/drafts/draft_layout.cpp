#include "store/drafts/draft_layout.h"

#include <algorithm>
#include <iterator>

namespace cairn {

DraftLayout::DraftLayout(uint64_t size_bytes, uint64_t base_limit, Extents extents)
    : size_(size_bytes), base_limit_(base_limit), extents_(std::move(extents)) {
  for (const auto& [offset, extent] : extents_) staged_bytes_ += extent.staged ? extent.end - offset : 0;
}

void DraftLayout::write(uint64_t offset, uint64_t length) {
  if (length == 0) return;
  assign(offset, offset + length, true);
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
  if (offset < end) assign(offset, end, false);
}

// What lies between the bytes that the base had so far and these becomes a zero made on purpose: it must not be the
// base's from now on.
void DraftLayout::restore(uint64_t offset, uint64_t length) {
  if (length == 0) return;
  const uint64_t end = offset + length;
  size_ = std::max(size_, end);
  for (uint64_t at = base_limit_; at < offset;) {
    const Piece piece = piece_at(at);
    if (piece.source == Source::zeros) assign(at, std::min(piece.end(), offset), false);
    at = piece.end();
  }
  base_limit_ = std::max(base_limit_, end);
  erase(offset, end);
}

DraftLayout::Piece DraftLayout::piece_at(uint64_t offset) const {
  const auto extent = extent_after(offset);
  if (extent != extents_.end() && extent->first <= offset) {
    return {offset, extent->second.end - offset, extent->second.staged ? Source::staged : Source::zeros};
  }
  const uint64_t gap_end = extent == extents_.end() ? size_ : extent->first;
  if (offset < base_limit_) return {offset, std::min(gap_end, base_limit_) - offset, Source::base};
  return {offset, gap_end - offset, Source::zeros};
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

uint64_t DraftLayout::staged_prefix() const {
  const auto first = extents_.begin();
  return first != extents_.end() && first->first == 0 && first->second.staged ? first->second.end : 0;
}

std::optional<uint64_t> DraftLayout::seek_data(uint64_t offset, const FileReader* base) const {
  for (uint64_t at = offset; at < size_;) {
    const Piece piece = piece_at(at);
    if (piece.source == Source::staged) return at;
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

void DraftLayout::assign(uint64_t begin, uint64_t end, bool staged) {
  erase(begin, end);
  if (staged) staged_bytes_ += end - begin;
  auto place = extents_.emplace(begin, Extent{end, staged}).first;
  const auto next = std::next(place);
  if (next != extents_.end() && next->first == end && next->second.staged == staged) {
    place->second.end = next->second.end;
    extents_.erase(next);
  }
  if (place == extents_.begin()) return;
  const auto before = std::prev(place);
  if (before->second.end != begin || before->second.staged != staged) return;
  before->second.end = place->second.end;
  extents_.erase(place);
}

void DraftLayout::erase(uint64_t begin, uint64_t end) {
  auto at = extents_.lower_bound(begin);
  if (at != extents_.begin()) {
    const auto before = std::prev(at);
    const Extent old = before->second;
    if (old.end > begin) {
      before->second.end = begin;
      if (old.staged) staged_bytes_ -= std::min(old.end, end) - begin;
    }
    if (old.end > end) at = extents_.emplace(end, old).first;
  }
  while (at != extents_.end() && at->first < end) {
    const Extent old = at->second;
    if (old.staged) staged_bytes_ -= std::min(old.end, end) - at->first;
    at = extents_.erase(at);
    if (old.end > end) at = extents_.emplace(end, old).first;
  }
}

}  // namespace cairn
