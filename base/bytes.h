// Owned and borrowed bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/block_pool.h"

namespace cairn {

using ByteView = std::span<const std::byte>;
using MutableByteView = std::span<std::byte>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// A fixed-size heap block whose bytes start uninitialised (a 4 MiB memset costs as much as a decode).
// Move-only; share it as SharedBuffer once its bytes are final.
// Thread-safety: none while it is written; a SharedBuffer is immutable and free to share.
class Buffer {
 public:
  static constexpr size_t kPageBytes = 4096;

  Buffer() = default;
  explicit Buffer(size_t size_bytes) : memory_(allocate_block(size_bytes)), size_(size_bytes) {}
  // The same, and the first byte lies `skew` bytes (below kPageBytes) behind the start of a page of memory.
  static Buffer placed(size_t size_bytes, size_t skew);
  static Buffer copy_of(ByteView bytes) {
    Buffer buffer(bytes.size());
    if (!bytes.empty()) std::memcpy(buffer.data(), bytes.data(), bytes.size());
    return buffer;
  }

  [[nodiscard]] std::byte* data() { return memory_.get() + begin_; }
  [[nodiscard]] const std::byte* data() const { return memory_.get() + begin_; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] ByteView view() const { return {data(), size_}; }
  [[nodiscard]] MutableByteView mutable_view() { return {data(), size_}; }
  // Forgets the bytes past `size_bytes` (<= size()); the memory stays allocated.
  void shrink_to(size_t size_bytes) { size_ = size_bytes; }
  // The same for its first `size_bytes` (<= size()): the rest is not moved.
  void drop_front(size_t size_bytes) {
    begin_ += size_bytes;
    size_ -= size_bytes;
  }

 private:
  Block memory_;
  size_t begin_ = 0;
  size_t size_ = 0;
};

using SharedBuffer = std::shared_ptr<const Buffer>;

// Lower-case hexadecimal of `bytes`.
std::string to_hex(ByteView bytes);
// The way back. False for anything but out.size() pairs of lower-case digits; `out` is then partly written.
bool from_hex(std::string_view hex, MutableByteView out);

// Little-endian integers at an unaligned address: the byte order of every format of ours and of the containers.
template <class T>
T load_le(const std::byte* from) {
  T value{};
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value | static_cast<T>(static_cast<T>(std::to_integer<uint8_t>(from[i])) << (8 * i)));
  }
  return value;
}
template <class T>
void store_le(T value, std::byte* to) {
  for (size_t i = 0; i < sizeof(T); ++i) to[i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
}

}  // namespace cairn
