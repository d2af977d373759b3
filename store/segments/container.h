// The inside of segment_plan: file formats that hold tensors, each read by its own header. One .cpp per format.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "store/segments/source_cursor.h"

namespace cairn {

inline constexpr uint64_t kToTheEnd = std::numeric_limits<uint64_t>::max();

// A tensor's bytes in the file; `end` is kToTheEnd where nothing tells it (yet).
struct Stretch {
  uint64_t offset = 0;
  uint64_t end = 0;
  bool operator==(const Stretch&) const = default;
};

// More tensors than that are no header's that is believed; so planning a file takes little memory, whatever it says.
inline constexpr uint64_t kMaxTensors = 1U << 18;

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
using HeaderReader = Result<std::optional<std::vector<Stretch>>> (*)(SourceCursor& cursor);
Result<std::optional<std::vector<Stretch>>> read_safetensors(SourceCursor& cursor);
Result<std::optional<std::vector<Stretch>>> read_gguf(SourceCursor& cursor);
Result<std::optional<std::vector<Stretch>>> read_npy(SourceCursor& cursor);

std::unique_ptr<Container> open_zip(uint64_t min_tensor_bytes);

}  // namespace cairn
