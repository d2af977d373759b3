#include "base/bytes.h"

namespace cairn {

// Blocks of a chunk's size begin at a page, so that there the room in front is the skew and no more.
Buffer Buffer::placed(size_t size_bytes, size_t skew) {
  Buffer buffer(size_bytes + kPageBytes);
  const auto address = reinterpret_cast<uintptr_t>(buffer.data());
  buffer.drop_front((skew - address) % kPageBytes);
  buffer.shrink_to(size_bytes);
  return buffer;
}

std::string to_hex(ByteView bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    text.push_back(kDigits[value >> 4]);
    text.push_back(kDigits[value & 15]);
  }
  return text;
}

namespace {

int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

}  // namespace

bool from_hex(std::string_view hex, MutableByteView out) {
  if (hex.size() != out.size() * 2) return false;
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = digit_value(hex[2 * i]);
    const int low = digit_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::byte>(high * 16 + low);
  }
  return true;
}

}  // namespace cairn
