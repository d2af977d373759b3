#include "store/manifest.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "store/format.pb.h"

namespace cairn {

namespace {

constexpr size_t kIdBytes = sizeof(Digest);
constexpr size_t kChecksumBytes = sizeof(Checksum);
// What off_t can count.
constexpr uint64_t kMaxFileBytes = std::numeric_limits<int64_t>::max();

bool in_order(const std::vector<ChunkRef>& chunks, uint64_t size_bytes) {
  uint64_t end = 0;
  for (const ChunkRef& chunk : chunks) {
    if (chunk.offset < end || chunk.size == 0) return false;
    end = chunk.end();
  }
  return end <= size_bytes;
}

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

Manifest::Manifest(uint64_t size_bytes, std::vector<ChunkRef> chunks) : size_(size_bytes), chunks_(std::move(chunks)) {
  check(in_order(chunks_, size_), "a manifest's chunks are in file order, apart, and within the file");
}

size_t Manifest::index_at(uint64_t offset) const {
  const auto found = std::upper_bound(chunks_.begin(), chunks_.end(), offset,
                                      [](uint64_t wanted, const ChunkRef& chunk) { return wanted < chunk.end(); });
  return static_cast<size_t>(found - chunks_.begin());
}

// Segments are the longest runs that the grammar can express, so that one chunk list has one serialised form.
format::Manifest Manifest::to_proto(uint32_t chunk_size) const {
  format::Manifest proto;
  format::Segment* open = nullptr;  // a run that may go on: it ends at `end` with a whole chunk
  uint64_t end = 0;
  for (const ChunkRef& chunk : chunks_) {
    check(chunk.size <= chunk_size, "no chunk is larger than the store's chunk size");
    if (chunk.offset != end) open = nullptr;
    add_hole(chunk.offset - end, &proto);
    if (open == nullptr) open = proto.add_segments();
    append_chunk(chunk, open);
    if (chunk.size < chunk_size) open = nullptr;
    end = chunk.end();
  }
  add_hole(size_ - end, &proto);
  return proto;
}

Result<Manifest> Manifest::from_proto(const format::Manifest& proto, uint32_t chunk_size) {
  Manifest manifest;
  for (const format::Segment& segment : proto.segments()) {
    if (auto sane = check_segment(segment, manifest.size_, chunk_size); !sane) return fail(std::move(sane).error());
    const size_t count = segment.ids().size() / kIdBytes;
    for (size_t i = 0; i < count; ++i) {
      manifest.chunks_.push_back(nth_chunk(segment, i, manifest.size_, chunk_size));
    }
    manifest.size_ += segment.length();
  }
  return manifest;
}

}  // namespace cairn
