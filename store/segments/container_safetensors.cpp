// safetensors: a length, a JSON object of that length, the tensors. {"name": {"dtype": …, "shape": …,
// "data_offsets": [begin, end]}, …, "__metadata__": {…}} (github.com/huggingface/safetensors).
#include <algorithm>
#include <cctype>
#include <iterator>
#include <nlohmann/json.hpp>

#include "store/segments/container.h"

namespace cairn {

namespace {

using Json = nlohmann::json;

constexpr uint64_t kMaxOffset = 1ULL << 62;
constexpr int kMaxDepth = 1024;
// The parser remembers what it has read since the last name, text or number.
constexpr size_t kMaxQuietEvents = 1U << 20;

// The header's text for a parser that remembers whole tokens: of a hundred megabytes, which is what a header may have,
// one token can be all. So tokens and blanks are cut short, and of names and texts only letters and digits go through.
class HeaderText {
 public:
  HeaderText(SourceCursor& cursor, uint64_t length) : cursor_(cursor), left_(length) { advance(); }

  [[nodiscard]] bool at_end() const { return ended_; }
  [[nodiscard]] char current() const { return current_; }
  // The source had less than it said.
  [[nodiscard]] bool is_cut() const { return cut_; }

  void advance() {
    while (next_byte()) {
      if (emit()) return;
    }
    ended_ = true;
  }

 private:
  static constexpr size_t kMaxTokenBytes = 64;

  bool next_byte() {
    if (left_ == 0) return false;
    if (window_.empty()) {
      window_ = cursor_.peek_at_least(1);
      window_ = window_.first(std::min<uint64_t>(window_.size(), left_));
      cut_ = window_.empty();
      if (cut_) return false;
      cursor_.skip(window_.size());
    }
    current_ = static_cast<char>(window_.front());
    window_ = window_.subspan(1);
    --left_;
    return true;
  }

  // Whether the parser is to see the byte that was read, or what stands for it.
  bool emit() {
    if (in_text_) return emit_in_text();
    const bool is_blank = current_ == ' ' || current_ == '\n' || current_ == '\t' || current_ == '\r';
    const bool is_mark = std::string_view("{}[],:\"").find(current_) != std::string_view::npos;
    if (is_mark || is_blank != was_blank_) token_bytes_ = 0;
    was_blank_ = is_blank;
    in_text_ = current_ == '"';
    ++token_bytes_;
    return token_bytes_ <= (is_blank ? 1 : kMaxTokenBytes);
  }

  bool emit_in_text() {
    if (!is_escaped_ && current_ == '"') {
      in_text_ = false;
      token_bytes_ = 0;
      return true;
    }
    is_escaped_ = !is_escaped_ && current_ == '\\';
    if (++token_bytes_ > kMaxTokenBytes) return false;
    const bool is_plain = std::isalnum(static_cast<unsigned char>(current_)) != 0 || current_ == '_';
    if (!is_plain) current_ = '?';
    return true;
  }

  SourceCursor& cursor_;
  uint64_t left_;
  ByteView window_{};
  char current_ = 0;
  bool ended_ = false;
  bool cut_ = false;
  bool in_text_ = false;
  bool is_escaped_ = false;
  bool was_blank_ = false;
  size_t token_bytes_ = 0;
};

// What the parser takes.
class HeaderIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  HeaderIterator() = default;  // the end
  explicit HeaderIterator(HeaderText& text) : text_(&text) {}
  char operator*() const { return text_->current(); }
  HeaderIterator& operator++() {
    text_->advance();
    return *this;
  }
  // For comparisons with the end.
  bool operator==(const HeaderIterator& other) const { return is_end() == other.is_end(); }

 private:
  [[nodiscard]] bool is_end() const { return text_ == nullptr || text_->at_end(); }
  HeaderText* text_ = nullptr;
};

// Collects every "data_offsets" of two numbers, and nothing else: memory is bounded by the tensors there are.
class OffsetCollector final : public nlohmann::json_sax<Json> {
 public:
  [[nodiscard]] std::vector<Stretch> take_tensors() { return std::move(tensors_); }

  bool null() override { return is_quiet(); }
  bool boolean(bool) override { return is_quiet(); }
  bool number_integer(number_integer_t) override { return is_token() && !in_offsets_; }
  bool number_float(number_float_t, const string_t&) override { return is_token() && !in_offsets_; }
  bool string(string_t&) override { return is_token() && depth_ > 0; }
  bool binary(binary_t&) override { return false; }
  bool number_unsigned(number_unsigned_t value) override {
    is_token();
    if (!in_offsets_) return true;
    if (seen_ == 2 || value > kMaxOffset) return false;
    offsets_[seen_++] = value;
    return true;
  }
  bool start_object(size_t) override {
    ++depth_;
    return is_quiet() && !in_offsets_;
  }
  bool key(string_t& name) override {
    is_token();
    awaits_offsets_ = depth_ == 2 && name == "data_offsets";
    return true;
  }
  bool end_object() override {
    --depth_;
    return is_quiet();
  }
  bool start_array(size_t) override {
    ++depth_;
    if (in_offsets_ || !is_quiet()) return false;
    in_offsets_ = awaits_offsets_;
    seen_ = 0;
    return depth_ > 1;
  }
  bool end_array() override {
    --depth_;
    if (!in_offsets_) return is_quiet();
    in_offsets_ = awaits_offsets_ = false;
    if (seen_ != 2 || offsets_[0] > offsets_[1] || tensors_.size() == kMaxTensors) return false;
    tensors_.push_back({.offset = offsets_[0], .end = offsets_[1]});
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override { return false; }

 private:
  bool is_token() {
    quiet_events_ = 0;
    return true;
  }
  bool is_quiet() { return ++quiet_events_ < kMaxQuietEvents && depth_ < kMaxDepth; }

  int depth_ = 0;  // open objects and arrays
  size_t quiet_events_ = 0;
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
  if (length == 0 || cursor.remaining() < length) return std::nullopt;
  const uint64_t end = cursor.position() + length;
  OffsetCollector collector;
  HeaderText text(cursor, length);
  const bool is_header = Json::sax_parse(HeaderIterator(text), HeaderIterator(), &collector);
  if (text.is_cut()) return std::nullopt;
  if (!is_header) return fail(Errc::corrupt, "no safetensors header");
  auto tensors = place(collector.take_tensors(), end);
  if (!tensors) return fail(Errc::corrupt, "safetensors whose tensors overlap");
  return tensors;
}

}  // namespace cairn
