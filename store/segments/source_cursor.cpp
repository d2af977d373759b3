#include "store/segments/source_cursor.h"

#include <algorithm>

namespace cairn {

namespace {

constexpr size_t kWindowBytes = 256U << 10;

}  // namespace

// Makes the window hold `count` bytes from position_ on.
bool SourceCursor::fill(size_t count) {
  const bool inside = position_ >= window_at_ && position_ - window_at_ <= window_.size() &&
                      window_.size() - (position_ - window_at_) >= count;
  if (inside) return true;
  if (failure_ || position_ > size_ || size_ - position_ < count) return false;
  window_.resize(std::min<uint64_t>(std::max(count, kWindowBytes), size_ - position_));
  window_at_ = position_;
  size_t filled = 0;
  while (filled < window_.size()) {
    auto got = source_.read(window_at_ + filled, MutableByteView(window_).subspan(filled));
    if (!got) {
      failure_ = std::move(got).error();
      break;
    }
    if (*got == 0) break;
    filled += *got;
  }
  window_.resize(filled);
  return !failure_ && filled >= count;
}

ByteView SourceCursor::peek_at_least(size_t count) {
  if (count == 0 || !fill(count)) return {};
  return ByteView(window_).subspan(position_ - window_at_);
}

ByteView SourceCursor::peek(size_t count) {
  const ByteView bytes = peek_at_least(count);
  return bytes.empty() ? bytes : bytes.first(count);
}

ByteView SourceCursor::take(size_t count) {
  const ByteView bytes = peek(count);
  position_ += bytes.size();
  return bytes;
}

bool SourceCursor::skip(uint64_t count) {
  if (position_ > size_ || size_ - position_ < count) return false;
  position_ += count;
  return true;
}

void SourceCursor::skip_hole() {
  if (position_ < size_) position_ = std::min(source_.next_data(position_), size_);
}

}  // namespace cairn
