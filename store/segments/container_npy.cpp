// .npy: magic, version, header length, a Python dictionary as text, then one array to the end of the file
// (numpy/lib/format.py).
#include "store/segments/container.h"

namespace cairn {

namespace {

constexpr uint32_t kMaxHeaderBytes = 1U << 20;

std::optional<uint32_t> header_length(SourceCursor& cursor, uint8_t major) {
  if (major > 1) {
    uint32_t length = 0;
    return cursor.read(&length) ? std::optional(length) : std::nullopt;
  }
  uint16_t length = 0;
  return cursor.read(&length) ? std::optional<uint32_t>(length) : std::nullopt;
}

}  // namespace

Result<std::optional<std::vector<Stretch>>> read_npy(SourceCursor& cursor) {
  const ByteView magic_and_version = cursor.take(8);
  if (magic_and_version.empty()) return std::nullopt;
  const auto major = std::to_integer<uint8_t>(magic_and_version[6]);
  if (major < 1 || major > 3) return fail(Errc::corrupt, ".npy version {}", major);
  const auto length = header_length(cursor, major);
  if (!length) return std::nullopt;
  if (*length > kMaxHeaderBytes) return fail(Errc::corrupt, ".npy header of {} bytes", *length);
  return std::vector<Stretch>{{.offset = cursor.position() + *length, .end = kToTheEnd}};
}

}  // namespace cairn
