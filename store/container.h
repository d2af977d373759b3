// The inside of segment_plan: file formats that hold tensors, each read by its own header. One .cpp per format.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "store/segment_plan.h"

namespace cairn {

inline constexpr uint64_t kToTheEnd = std::numeric_limits<uint64_t>::max();

// A tensor's bytes in the file; `end` is kToTheEnd where nothing tells it (yet).
struct Stretch {
  uint64_t offset = 0;
  uint64_t end = 0;
  bool operator==(const Stretch&) const = default;
};

// What a container has told of itself so far.
struct Layout {
  std::vector<Stretch> tensors;  // ascending, not overlapping
  uint64_t known_bytes = 0;      // all tensors that start below it are listed, and ends below it are known
};

// One open container. What it says may depend only on the bytes, never on the file's size or on how many calls it took.
class Container {
 public:
  virtual ~Container() = default;
  // Looks at the bytes below `size_bytes`, going on from where it stopped. False: this is no such container after all.
  virtual Result<bool> look(const PlanSource& source, uint64_t size_bytes) = 0;
  [[nodiscard]] virtual const Layout& layout() const = 0;
};

// How many of a file's first bytes recognise() wants to see, if there are so many.
inline constexpr size_t kRecogniseBytes = 16;

// The container that a file with these first bytes may be; nullptr: none. Tensors under `min_tensor_bytes` need not be
// listed.
std::unique_ptr<Container> recognise(ByteView first_bytes, uint64_t min_tensor_bytes);

// A container whose whole layout stands in a header at its front.
// The reader's answer: the layout; nothing while the header is not all there; or `corrupt` if it is no such header.
class SourceCursor;
using HeaderReader = Result<std::optional<std::vector<Stretch>>> (*)(SourceCursor& cursor);
Result<std::optional<std::vector<Stretch>>> read_safetensors(SourceCursor& cursor);
Result<std::optional<std::vector<Stretch>>> read_gguf(SourceCursor& cursor);
Result<std::optional<std::vector<Stretch>>> read_npy(SourceCursor& cursor);

std::unique_ptr<Container> open_zip(uint64_t min_tensor_bytes);

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
