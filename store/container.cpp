#include "store/container.h"

#include <algorithm>

namespace cairn {

namespace {

constexpr size_t kWindowBytes = 256U << 10;

class HeaderContainer final : public Container {
 public:
  explicit HeaderContainer(HeaderReader read) : read_(read) {}

  Result<bool> look(const PlanSource& source, uint64_t size_bytes) override {
    if (layout_.known_bytes == kToTheEnd) return true;
    SourceCursor cursor(source, size_bytes, 0);
    auto tensors = read_(cursor);
    if (cursor.failure()) return fail(*cursor.failure());
    if (!tensors) return false;
    if (*tensors) layout_ = {.tensors = std::move(**tensors), .known_bytes = kToTheEnd};
    return true;
  }

  [[nodiscard]] const Layout& layout() const override { return layout_; }

 private:
  HeaderReader read_;
  Layout layout_;
};

bool starts_with(ByteView bytes, std::string_view magic) { return as_text(bytes).starts_with(magic); }

// safetensors has no magic: a length that can be, then an opening brace.
bool may_be_safetensors(ByteView bytes) {
  constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
  return bytes.size() > 8 && bytes[8] == std::byte{'{'} && load_le<uint64_t>(bytes.data()) <= kMaxHeaderBytes;
}

}  // namespace

std::unique_ptr<Container> recognise(ByteView first_bytes, uint64_t min_tensor_bytes) {
  if (starts_with(first_bytes, "PK\x03\x04")) return open_zip(min_tensor_bytes);
  if (starts_with(first_bytes, "GGUF")) return std::make_unique<HeaderContainer>(read_gguf);
  if (starts_with(first_bytes, "\x93NUMPY")) return std::make_unique<HeaderContainer>(read_npy);
  if (may_be_safetensors(first_bytes)) return std::make_unique<HeaderContainer>(read_safetensors);
  return nullptr;
}

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
    auto got = source_(window_at_ + filled, MutableByteView(window_).subspan(filled));
    if (!got) failure_ = std::move(got).error();
    if (failure_ || *got == 0) break;
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

}  // namespace cairn
