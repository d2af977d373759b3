#include "cache/images/image_map.h"

#include <algorithm>
#include <limits>

namespace cairn {

namespace {

constexpr std::string_view kMagic = "cairnimg";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeadBytes = 8 + 4 + 4 + 8 + 8 + 1 + 8;
constexpr size_t kChunkBytes = 8 + 4 + sizeof(ChunkId) + sizeof(Checksum);

template <class T>
void append(std::string& to, T value) {
  std::array<std::byte, sizeof(T)> bytes;
  store_le<T>(value, bytes.data());
  to += as_text(bytes);
}

void append_chunk(std::string& to, const ChunkRef& chunk) {
  append<uint64_t>(to, chunk.offset);
  append<uint32_t>(to, chunk.size);
  to += as_text(chunk.id.bytes);
  to += as_text(chunk.checksum.bytes);
}

// Takes fields off the front of `bytes`, which are known to be there.
template <class T>
T take(std::string_view& bytes) {
  const T value = load_le<T>(as_bytes(bytes).data());
  bytes.remove_prefix(sizeof(T));
  return value;
}
template <size_t kSize>
void take(std::string_view& bytes, std::array<std::byte, kSize>& to) {
  std::ranges::copy(as_bytes(bytes.substr(0, kSize)), to.begin());
  bytes.remove_prefix(kSize);
}

ChunkRef take_chunk(std::string_view& bytes) {
  ChunkRef chunk;
  chunk.offset = take<uint64_t>(bytes);
  chunk.size = take<uint32_t>(bytes);
  take(bytes, chunk.id.bytes);
  take(bytes, chunk.checksum.bytes);
  return chunk;
}

size_t bitmap_bytes(size_t bits) { return bits / 8 + (bits % 8 != 0 ? 1 : 0); }

}  // namespace

ImageId image_id(uint64_t size_bytes, const std::vector<ChunkRef>& chunks) {
  std::string listed;
  listed.reserve(8 + chunks.size() * kChunkBytes);
  append<uint64_t>(listed, size_bytes);
  for (const ChunkRef& chunk : chunks) append_chunk(listed, chunk);
  return sha256(as_bytes(listed));
}

std::string encode_image_map(const ImageMap& map) {
  const auto& chunks = *map.chunks;
  std::string bytes(kMagic);
  bytes.reserve(kHeadBytes + chunks.size() * (kChunkBytes + 1) + sizeof(Checksum));
  append<uint32_t>(bytes, kVersion);
  append<uint32_t>(bytes, map.care);
  append<uint64_t>(bytes, map.size_bytes);
  append<uint64_t>(bytes, chunks.size());
  append<uint8_t>(bytes, map.is_whole ? 1 : 0);
  append<uint64_t>(bytes, map.inode);
  for (const ChunkRef& chunk : chunks) append_chunk(bytes, chunk);
  std::string bits(bitmap_bytes(chunks.size()), '\0');
  for (size_t i = 0; i < chunks.size(); ++i) {
    if (map.present[i]) bits[i / 8] = static_cast<char>(bits[i / 8] | 1 << (i % 8));
  }
  bytes += bits;
  bytes += as_text(xxh3_128(as_bytes(bytes)).bytes);
  return bytes;
}

Result<ImageMap> parse_image_map(std::string_view bytes) {
  if (bytes.size() < kHeadBytes + sizeof(Checksum) || !bytes.starts_with(kMagic)) {
    return fail(Errc::corrupt, "no map of an image");
  }
  std::string_view checksum = bytes.substr(bytes.size() - sizeof(Checksum));
  bytes.remove_suffix(sizeof(Checksum));
  if (as_text(xxh3_128(as_bytes(bytes)).bytes) != checksum) return fail(Errc::corrupt, "wrong checksum");
  bytes.remove_prefix(kMagic.size());
  if (const auto version = take<uint32_t>(bytes); version != kVersion) {
    return fail(Errc::corrupt, "version {} of an image's map; this cairnfs knows {}", version, kVersion);
  }
  ImageMap map;
  map.care = take<uint32_t>(bytes);
  map.size_bytes = take<uint64_t>(bytes);
  const auto count = take<uint64_t>(bytes);
  map.is_whole = take<uint8_t>(bytes) != 0;
  map.inode = take<uint64_t>(bytes);
  if (count > bytes.size() / kChunkBytes || bytes.size() != count * kChunkBytes + bitmap_bytes(count)) {
    return fail(Errc::corrupt, "{} bytes are no map of {} chunks", bytes.size(), count);
  }
  std::vector<ChunkRef> chunks;
  chunks.reserve(count);
  uint64_t end = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const ChunkRef& chunk = chunks.emplace_back(take_chunk(bytes));
    if (chunk.offset < end || chunk.offset > map.size_bytes || chunk.size > map.size_bytes - chunk.offset) {
      return fail(Errc::corrupt, "chunk {} lies where it cannot", i);
    }
    end = chunk.end();
  }
  for (size_t i = 0; i < count; ++i) map.present.push_back((static_cast<uint8_t>(bytes[i / 8]) >> (i % 8) & 1) != 0);
  map.chunks = std::make_shared<const std::vector<ChunkRef>>(std::move(chunks));
  return map;
}

}  // namespace cairn
