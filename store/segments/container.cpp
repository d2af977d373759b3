#include "store/segments/container.h"

namespace cairn {

namespace {

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

}  // namespace cairn
