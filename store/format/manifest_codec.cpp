#include "store/format/manifest_codec.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "store/format/format.pb.h"
#include "store/format/messages.h"

namespace cairn {

namespace {

constexpr size_t kIdBytes = sizeof(Digest);
constexpr size_t kChecksumBytes = sizeof(Checksum);
// What off_t can count.
constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();

void add_hole(uint64_t length, format::Manifest* proto) {
  if (length == 0) return;
  format::Segment* segment = proto->add_segments();
  segment->set_length(length);
  segment->set_hole(true);
}

void append_chunk(const ChunkRef& chunk, format::Segment* segment) {
  segment->set_length(segment->length() + chunk.size);
  segment->mutable_ids()->append(as_text(chunk.id.bytes));
  segment->mutable_checksums()->append(as_text(chunk.checksum.bytes));
}

ChunkRef nth_chunk(const format::Segment& segment, size_t index, uint64_t segment_offset, uint32_t chunk_size) {
  const uint64_t before = index * static_cast<uint64_t>(chunk_size);
  ChunkRef chunk;
  chunk.offset = segment_offset + before;
  chunk.size = static_cast<uint32_t>(std::min<uint64_t>(chunk_size, segment.length() - before));
  std::memcpy(chunk.id.bytes.data(), segment.ids().data() + index * kIdBytes, kIdBytes);
  std::memcpy(chunk.checksum.bytes.data(), segment.checksums().data() + index * kChecksumBytes, kChecksumBytes);
  return chunk;
}

// The counts must follow from the length, so what is built from a segment is bounded by the bytes it came in.
Result<void> check_segment(const format::Segment& segment, uint64_t offset, uint32_t chunk_size) {
  if (segment.length() == 0 || segment.length() > kMaxFileBytes - offset) {
    return fail(Errc::corrupt, "a segment of {} bytes at {}", segment.length(), offset);
  }
  const uint64_t chunks = segment.hole() ? 0 : (segment.length() - 1) / chunk_size + 1;
  const bool counts_match = segment.ids().size() / kIdBytes == chunks && segment.ids().size() % kIdBytes == 0 &&
                            segment.checksums().size() / kChecksumBytes == chunks &&
                            segment.checksums().size() % kChecksumBytes == 0;
  if (!counts_match)
    return fail(Errc::corrupt, "a segment of {} bytes that is not {} chunks", segment.length(), chunks);
  return {};
}

}  // namespace

// Segments are the longest runs that the grammar can express, so that one chunk list has one serialised form.
format::Manifest write_manifest(const Manifest& manifest, uint32_t chunk_size) {
  format::Manifest proto;
  format::Segment* open = nullptr;  // a run that may go on: it ends at `end` with a whole chunk
  uint64_t end = 0;
  for (const ChunkRef& chunk : manifest.chunks()) {
    check(chunk.size <= chunk_size, "no chunk is larger than the store's chunk size");
    if (chunk.offset != end) open = nullptr;
    add_hole(chunk.offset - end, &proto);
    if (open == nullptr) open = proto.add_segments();
    append_chunk(chunk, open);
    if (chunk.size < chunk_size) open = nullptr;
    end = chunk.end();
  }
  add_hole(manifest.size_bytes() - end, &proto);
  return proto;
}

Result<Manifest> read_manifest(const format::Manifest& proto, uint32_t chunk_size) {
  uint64_t size_bytes = 0;
  std::vector<ChunkRef> chunks;
  for (const format::Segment& segment : proto.segments()) {
    if (auto sane = check_segment(segment, size_bytes, chunk_size); !sane) return fail(std::move(sane).error());
    const size_t count = segment.ids().size() / kIdBytes;
    for (size_t i = 0; i < count; ++i) {
      chunks.push_back(nth_chunk(segment, i, size_bytes, chunk_size));
    }
    size_bytes += segment.length();
  }
  return Manifest(size_bytes, std::move(chunks));
}

Result<EncodedManifest> encode_manifest(const Manifest& manifest, uint32_t chunk_size) {
  auto message = serialize(write_manifest(manifest, chunk_size));
  if (!message) return fail(message.error().in("manifest"));
  auto object = wrap_envelope(kManifestMagic, message->view());
  if (!object) return fail(std::move(object).error());
  return EncodedManifest{.id = sha256(message->view()), .object = std::move(*object)};
}

Result<Manifest> decode_manifest(ByteView object, const Digest& id, uint32_t chunk_size, uint64_t most_bytes) {
  const auto in_manifest = [&](const Error& error) {
    return fail(error.in(fmt::format("manifest {}", id.short_hex())));
  };
  auto message = unwrap_envelope(kManifestMagic, object, most_bytes);
  if (!message) return in_manifest(message.error());
  if (sha256(message->view()) != id) return in_manifest(Error(Errc::corrupt, "the object holds another manifest"));
  ParsedMessage<format::Manifest> parsed(most_bytes);
  const auto proto = parsed.parse(message->view(), "Manifest");
  if (!proto) return in_manifest(proto.error());
  auto manifest = read_manifest(**proto, chunk_size);
  if (!manifest) return in_manifest(manifest.error());
  return manifest;
}

}  // namespace cairn
