// GGUF versions 2 and 3, little-endian: magic, version, counts, key-value pairs, tensor descriptions, padding, tensors
// (ggml/docs/gguf.md). A tensor is taken to reach to the next one, so that no table of quantisation types is needed.
#include <algorithm>
#include <bit>
#include <string>

#include "store/segments/container.h"

namespace cairn {

namespace {

constexpr uint64_t kMaxHeaderBytes = 256U << 20;  // tokenizers of half a million words take 20 MiB
constexpr uint32_t kMaxDimensions = 8;
constexpr uint64_t kMaxOffset = 1ULL << 62;

enum ValueType : uint32_t { kString = 8, kArray = 9, kTypes = 13 };

// Bytes of a scalar of each type, 0 where there is no fixed size.
constexpr std::array<uint8_t, kTypes> kScalarBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// Walks the header. Each step says whether it got the bytes it needs; `broken` means that more bytes would not help.
class GgufHeader {
 public:
  explicit GgufHeader(SourceCursor& cursor) : cursor_(cursor) {}

  Result<std::optional<std::vector<Stretch>>> read() {
    const bool complete = read_counts() && skip_pairs() && read_tensors();
    if (broken_) return fail(Errc::corrupt, "no GGUF header");
    if (!complete) return std::nullopt;
    return stretches();
  }

 private:
  bool broken() {
    broken_ = true;
    return false;
  }

  bool skip(uint64_t count) {
    if (count > kMaxHeaderBytes || cursor_.position() > kMaxHeaderBytes) return broken();
    return cursor_.skip(count);
  }

  bool skip_string() {
    uint64_t length = 0;
    return cursor_.read(&length) && skip(length);
  }

  bool read_counts() {
    uint32_t magic = 0, version = 0;
    if (!cursor_.read(&magic) || !cursor_.read(&version)) return false;
    if (version != 2 && version != 3) return broken();
    return cursor_.read(&tensor_count_) && cursor_.read(&pair_count_) && (tensor_count_ <= kMaxTensors || broken());
  }

  bool skip_array() {
    uint32_t type = 0;
    uint64_t count = 0;
    if (!cursor_.read(&type) || !cursor_.read(&count)) return false;
    if (count > kMaxHeaderBytes || type >= kTypes || type == kArray) return broken();
    if (type != kString) return skip(count * kScalarBytes[type]);
    for (uint64_t i = 0; i < count; ++i) {
      if (!skip_string()) return false;
    }
    return true;
  }

  bool read_alignment() {
    if (!cursor_.read(&alignment_)) return false;
    return std::has_single_bit(alignment_) || broken();
  }

  bool skip_value(const std::string& key) {
    uint32_t type = 0;
    if (!cursor_.read(&type)) return false;
    if (type == kArray) return skip_array();
    if (type == kString) return skip_string();
    if (type >= kTypes) return broken();
    constexpr uint32_t kUint32 = 4;
    if (key == "general.alignment" && type == kUint32) return read_alignment();
    return skip(kScalarBytes[type]);
  }

  bool skip_pairs() {
    for (uint64_t i = 0; i < pair_count_; ++i) {
      uint64_t length = 0;
      if (!cursor_.read(&length)) return false;
      if (length == 0 || length > 65535) return broken();
      const std::string key(as_text(cursor_.take(length)));
      if (key.empty() || !skip_value(key)) return false;
      if (cursor_.position() > kMaxHeaderBytes) return broken();
    }
    return true;
  }

  bool read_tensor() {
    uint32_t dimensions = 0, type = 0;
    uint64_t offset = 0;
    if (!skip_string() || !cursor_.read(&dimensions)) return false;
    if (dimensions > kMaxDimensions) return broken();
    if (!skip(dimensions * sizeof(uint64_t)) || !cursor_.read(&type) || !cursor_.read(&offset)) return false;
    if (offset > kMaxOffset) return broken();
    offsets_.push_back(offset);
    return true;
  }

  bool read_tensors() {
    for (uint64_t i = 0; i < tensor_count_; ++i) {
      if (!read_tensor()) return false;
    }
    return true;
  }

  std::vector<Stretch> stretches() {
    const uint64_t base = (cursor_.position() + alignment_ - 1) / alignment_ * alignment_;
    std::sort(offsets_.begin(), offsets_.end());
    std::vector<Stretch> tensors;
    for (size_t i = 0; i < offsets_.size(); ++i) {
      const uint64_t end = i + 1 < offsets_.size() ? base + offsets_[i + 1] : kToTheEnd;
      tensors.push_back({.offset = base + offsets_[i], .end = end});
    }
    return tensors;
  }

  SourceCursor& cursor_;
  bool broken_ = false;
  uint64_t tensor_count_ = 0, pair_count_ = 0;
  uint32_t alignment_ = 32;
  std::vector<uint64_t> offsets_;
};

}  // namespace

Result<std::optional<std::vector<Stretch>>> read_gguf(SourceCursor& cursor) { return GgufHeader(cursor).read(); }

}  // namespace cairn
