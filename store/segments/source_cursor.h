// The bytes of a file that is being planned, read forward.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// A prefix-limited view of the file being planned.
struct PlanSource {
  // Up to out.size() bytes from `offset`, fewer at the end of what is there.
  std::function<Result<size_t>(uint64_t offset, MutableByteView out)> read;
  // Where the next byte from `offset` on may be that is not zero, so that holes need not be read.
  std::function<uint64_t(uint64_t offset)> next_data = [](uint64_t offset) { return offset; };
};

// Reads a source forward through a window, so that walking a header costs few calls.
class SourceCursor {
 public:
  SourceCursor(const PlanSource& source, uint64_t size_bytes, uint64_t position)
      : source_(source), size_(size_bytes), position_(position) {}

  // The next `count` bytes, or an empty view: they are not there, or failure(). The view holds until the next call.
  ByteView take(size_t count);
  template <class T>
  bool read(T* value) {
    const ByteView bytes = take(sizeof(T));
    if (bytes.empty()) return false;
    *value = load_le<T>(bytes.data());
    return true;
  }
  // The same without going forward.
  ByteView peek(size_t count);
  // The next `count` bytes, and those after them that the window holds anyway.
  ByteView peek_at_least(size_t count);
  // False past the end of what is there.
  bool skip(uint64_t count);
  // Past the zeros that are known to be there without looking.
  void skip_hole();
  void seek(uint64_t position) { position_ = position; }
  [[nodiscard]] uint64_t remaining() const { return position_ < size_ ? size_ - position_ : 0; }
  [[nodiscard]] uint64_t position() const { return position_; }
  // The source's, if it failed.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  bool fill(size_t count);

  const PlanSource& source_;
  uint64_t size_;
  uint64_t position_;
  std::vector<std::byte> window_;
  uint64_t window_at_ = 0;
  std::optional<Error> failure_;
};

}  // namespace cairn
