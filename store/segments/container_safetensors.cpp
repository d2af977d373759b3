// safetensors: a length, a JSON object of that length, the tensors. {"name": {"dtype": …, "shape": …,
// "data_offsets": [begin, end]}, …, "__metadata__": {…}} (github.com/huggingface/safetensors).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/segments/container.h"

namespace cairn {

namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxOffset = 1ULL << 62;

// Collects every "data_offsets" of two numbers, and nothing else: memory is bounded by the tensors there are.
class OffsetCollector final : public nlohmann::json_sax<Json> {
 public:
  [[nodiscard]] const std::vector<Stretch>& tensors() const { return tensors_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return !in_offsets_; }
  bool number_float(number_float_t, const string_t&) override { return !in_offsets_; }
  bool string(string_t&) override { return depth_ > 0; }
  bool binary(binary_t&) override { return false; }
  bool number_unsigned(number_unsigned_t value) override {
    if (!in_offsets_) return true;
    if (seen_ == 2 || value > kMaxOffset) return false;
    offsets_[seen_++] = value;
    return true;
  }
  bool start_object(size_t) override {
    ++depth_;
    return !in_offsets_;
  }
  bool key(string_t& name) override {
    awaits_offsets_ = depth_ == 2 && name == "data_offsets";
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }
  bool start_array(size_t) override {
    ++depth_;
    if (in_offsets_) return false;
    in_offsets_ = awaits_offsets_;
    seen_ = 0;
    return depth_ > 1;
  }
  bool end_array() override {
    --depth_;
    if (!in_offsets_) return true;
    in_offsets_ = awaits_offsets_ = false;
    if (seen_ != 2 || offsets_[0] > offsets_[1]) return false;
    tensors_.push_back({.offset = offsets_[0], .end = offsets_[1]});
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  int depth_ = 0;  // open objects and arrays
  bool awaits_offsets_ = false;
  bool in_offsets_ = false;
  size_t seen_ = 0;
  std::array<uint64_t, 2> offsets_{};
  std::vector<Stretch> tensors_;
};

// In file order, from the front of the file, without the empty ones; nothing if two of them overlap.
std::optional<std::vector<Stretch>> place(std::vector<Stretch> tensors, uint64_t base) {
  std::erase_if(tensors, [](const Stretch& tensor) { return tensor.offset == tensor.end; });
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.offset < b.offset; });
  uint64_t end = 0;
  for (Stretch& tensor : tensors) {
    if (tensor.offset < end) return std::nullopt;
    end = tensor.end;
    tensor = {.offset = base + tensor.offset, .end = base + tensor.end};
  }
  return tensors;
}

}  // namespace

Result<std::optional<std::vector<Stretch>>> read_safetensors(SourceCursor& cursor) {
  uint64_t length = 0;
  if (!cursor.read(&length)) return std::nullopt;
  const ByteView header = cursor.take(length);
  if (header.empty()) return std::nullopt;
  OffsetCollector collector;
  const auto text = as_text(header);
  if (!Json::sax_parse(text.begin(), text.end(), &collector)) return fail(Errc::corrupt, "no safetensors header");
  auto tensors = place(collector.tensors(), cursor.position());
  if (!tensors) return fail(Errc::corrupt, "safetensors whose tensors overlap");
  return tensors;
}

}  // namespace cairn
