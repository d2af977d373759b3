// zip as PyTorch, numpy and everybody else write it: a chain of entries, each a local header and its data (APPNOTE.TXT
// 4.3). The central directory stands at the end and is not needed, so entries are found while a file is being written.
//
// PyTorch's local headers do not tell the size: a descriptor after the data does. It is found by looking for a
// descriptor whose size is the distance to the start of the data, followed by the signature of another record: in
// random bytes that happens once in 2^96 positions.
#include <algorithm>

#include "store/segments/container.h"

namespace cairn {

namespace {

constexpr std::string_view kEntryMagic = "PK\x03\x04";
constexpr size_t kEntryHeaderBytes = 30;
constexpr uint16_t kHasDescriptor = 1U << 3;
constexpr uint32_t kInZip64Extra = 0xffffffff;
constexpr uint16_t kZip64ExtraId = 1;
constexpr uint64_t kMaxOffset = 1ULL << 62;

// Signature, CRC, two sizes of 4 or 8 bytes; enough is looked at to see the signature of what follows.
constexpr std::string_view kDescriptorMagic = "PK\x07\x08";
constexpr size_t kDescriptorBytes = 16;
constexpr size_t kWideDescriptorBytes = 24;
constexpr size_t kDescriptorSightBytes = kWideDescriptorBytes + 4;

bool starts_with(ByteView bytes, std::string_view magic) { return as_text(bytes).starts_with(magic); }

// An entry, the central directory, or an end record.
bool starts_record(ByteView bytes) {
  return starts_with(bytes, kEntryMagic) || starts_with(bytes, "PK\x01\x02") || starts_with(bytes, "PK\x05\x06") ||
         starts_with(bytes, "PK\x06\x06");
}

struct EntryHeader {
  bool has_descriptor = false;
  uint64_t stored_bytes = 0;  // 0: none, or not told
  uint64_t data_at = 0;
};

// The stored size that did not fit the header; in its zip64 field it follows the plain size if that did not fit either.
std::optional<uint64_t> zip64_stored_bytes(ByteView extra, bool after_plain_size) {
  const size_t at = after_plain_size ? 8 : 0;
  while (extra.size() >= 4) {
    const auto id = load_le<uint16_t>(extra.data());
    const size_t size = load_le<uint16_t>(extra.data() + 2);
    extra = extra.subspan(4);
    if (size > extra.size()) break;
    if (id == kZip64ExtraId && size >= at + 8) return load_le<uint64_t>(extra.data() + at);
    extra = extra.subspan(size);
  }
  return std::nullopt;
}

// The length of the descriptor at the front of `sight`, provided it ends an entry of `stored_bytes`; else 0.
size_t descriptor_length(ByteView sight, uint64_t stored_bytes) {
  const bool is_narrow = load_le<uint32_t>(sight.data() + 8) == stored_bytes;
  if (is_narrow && starts_record(sight.subspan(kDescriptorBytes))) return kDescriptorBytes;
  const bool is_wide = load_le<uint64_t>(sight.data() + 8) == stored_bytes;
  return is_wide && starts_record(sight.subspan(kWideDescriptorBytes)) ? kWideDescriptorBytes : 0;
}

// layout_.known_bytes is where it stands: at the next record, or within an entry whose end it is looking for.
class ZipContainer final : public Container {
 public:
  explicit ZipContainer(uint64_t min_tensor_bytes) : min_tensor_bytes_(min_tensor_bytes) {}

  Result<bool> look(const PlanSource& source, uint64_t size_bytes) override {
    SourceCursor cursor(source, size_bytes, layout_.known_bytes);
    bool goes_on = true;
    while (goes_on) {
      cursor.seek(layout_.known_bytes);
      goes_on = seeks_end_ ? find_end(cursor) : read_record(cursor);
    }
    if (cursor.failure()) return fail(*cursor.failure());
    return true;
  }

  [[nodiscard]] const Layout& layout() const override { return layout_; }

 private:
  // Each step answers false when what it needs is not there (yet), or the chain has ended.
  bool read_record(SourceCursor& cursor) {
    const ByteView magic = cursor.peek(4);
    if (magic.empty()) return false;
    if (starts_with(magic, kDescriptorMagic)) return pass_descriptor(cursor);
    if (!starts_with(magic, kEntryMagic)) return end_chain();
    const auto header = read_header(cursor);
    return header && enter(*header, cursor);
  }

  // A descriptor that repeats what the header told: the last entry's size is where we stand.
  bool pass_descriptor(SourceCursor& cursor) {
    const ByteView sight = cursor.peek(kDescriptorSightBytes);
    if (sight.empty()) return false;
    const size_t length = descriptor_length(sight, last_stored_bytes_);
    if (length == 0) return end_chain();
    layout_.known_bytes += length;
    return true;
  }

  static std::optional<EntryHeader> read_header(SourceCursor& cursor) {
    const ByteView fixed = cursor.take(kEntryHeaderBytes);
    if (fixed.empty()) return std::nullopt;
    const bool is_plain_size_elsewhere = load_le<uint32_t>(fixed.data() + 22) == kInZip64Extra;
    const auto name_bytes = load_le<uint16_t>(fixed.data() + 26);
    const auto extra_bytes = load_le<uint16_t>(fixed.data() + 28);
    EntryHeader header{.has_descriptor = (load_le<uint16_t>(fixed.data() + 6) & kHasDescriptor) != 0,
                       .stored_bytes = load_le<uint32_t>(fixed.data() + 18)};
    if (!cursor.skip(name_bytes)) return std::nullopt;
    const ByteView extra = cursor.take(extra_bytes);
    if (extra.size() != extra_bytes) return std::nullopt;
    if (header.stored_bytes == kInZip64Extra) {
      header.stored_bytes = zip64_stored_bytes(extra, is_plain_size_elsewhere).value_or(kInZip64Extra);
    }
    header.data_at = cursor.position();
    return header;
  }

  bool enter(const EntryHeader& header, SourceCursor& cursor) {
    if (header.stored_bytes > kMaxOffset) return end_chain();
    last_stored_bytes_ = header.stored_bytes;
    if (header.stored_bytes != 0) {
      add_tensor({.offset = header.data_at, .end = header.data_at + header.stored_bytes});
      layout_.known_bytes = header.data_at + header.stored_bytes;
      return true;
    }
    if (header.has_descriptor) {
      seeks_end_ = true;
      return open_tensor(header.data_at);
    }
    return enter_unsized(header.data_at, cursor);
  }

  // An empty entry, or one whose writer comes back to fill in the sizes: until then the rest of the file is its data.
  bool enter_unsized(uint64_t data_at, SourceCursor& cursor) {
    const ByteView next = cursor.peek(4);
    if (next.empty()) return false;
    if (!starts_record(next)) return open_tensor(data_at) && end_chain();
    layout_.known_bytes = data_at;
    return true;
  }

  bool find_end(SourceCursor& cursor) {
    while (cursor.remaining() >= kDescriptorMagic.size()) {
      cursor.skip_hole();
      layout_.known_bytes = cursor.position();
      const ByteView window = cursor.peek_at_least(kDescriptorMagic.size());
      if (window.empty()) return false;
      const size_t hit = as_text(window).find(kDescriptorMagic);
      cursor.skip(std::min(hit, window.size() - kDescriptorMagic.size() + 1));
      layout_.known_bytes = cursor.position();
      if (hit == std::string_view::npos) continue;
      const ByteView sight = cursor.peek(kDescriptorSightBytes);
      if (sight.empty()) return false;
      const size_t length = descriptor_length(sight, cursor.position() - layout_.tensors.back().offset);
      if (length != 0) return close_tensor(length);
      cursor.skip(1);
    }
    return false;
  }

  void add_tensor(Stretch tensor) {
    if (tensor.end - tensor.offset >= min_tensor_bytes_) layout_.tensors.push_back(tensor);
  }

  bool open_tensor(uint64_t data_at) {
    layout_.tensors.push_back({.offset = data_at, .end = kToTheEnd});
    layout_.known_bytes = data_at;
    return true;
  }

  // The open tensor ends where we stand, and `descriptor_bytes` later there is the next record.
  bool close_tensor(size_t descriptor_bytes) {
    const Stretch tensor{.offset = layout_.tensors.back().offset, .end = layout_.known_bytes};
    layout_.tensors.pop_back();
    add_tensor(tensor);
    layout_.known_bytes += descriptor_bytes;
    seeks_end_ = false;
    return true;
  }

  bool end_chain() {
    layout_.known_bytes = kToTheEnd;
    return false;
  }

  uint64_t min_tensor_bytes_;
  Layout layout_;
  bool seeks_end_ = false;
  uint64_t last_stored_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Container> open_zip(uint64_t min_tensor_bytes) {
  return std::make_unique<ZipContainer>(min_tensor_bytes);
}

}  // namespace cairn
