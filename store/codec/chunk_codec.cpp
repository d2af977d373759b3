#include "store/codec/chunk_codec.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "store/codec/byte_planes.h"
#include "store/codec/zstd_codec.h"

namespace cairn {

namespace {

constexpr std::array<char, 4> kMagic = {'C', 'F', 'S', 'c'};
constexpr uint8_t kVersion = 1;
constexpr uint32_t kMaxPlainBytes = 4U << 20;

// The sample: pieces spread evenly over the chunk, long enough for zstd to show what it finds, few enough that a chunk
// which does not compress costs little: 64 KiB of 4 MiB take about 0.15 ms, next to 3 ms for the chunk's SHA-256.
constexpr size_t kPieces = 8;
constexpr size_t kPieceBytes = 8U << 10;
constexpr int kSampleLevel = 1;
constexpr size_t kMaxWidth = 8;

struct Header {
  ChunkEncoding encoding = ChunkEncoding::raw;
  uint8_t width = 1;
  uint32_t plain_bytes = 0;
  uint32_t payload_bytes = 0;
};

void write_header(const Header& header, std::byte* to) {
  std::memcpy(to, kMagic.data(), kMagic.size());
  to[4] = std::byte{kVersion};
  to[5] = static_cast<std::byte>(header.encoding);
  to[6] = std::byte{header.width};
  to[7] = std::byte{0};
  store_le<uint32_t>(header.plain_bytes, to + 8);
  store_le<uint32_t>(header.payload_bytes, to + 12);
}

// Worth a decode: at least a twentieth saved.
bool pays(size_t encoded_bytes, size_t plain_bytes) { return encoded_bytes <= plain_bytes - plain_bytes / 20; }

// Worth the wider element: joining planes takes a pass over memory.
template <class T>
bool clearly_less(T wider, T narrower) {
  return static_cast<double>(wider) < 0.98 * static_cast<double>(narrower);
}

// How often each byte value stands at each position of an 8-byte element; narrower widths add positions up.
using Histogram = std::array<uint32_t, 256>;
using PlaneHistograms = std::array<Histogram, kMaxWidth>;

PlaneHistograms count_planes(ByteView sample) {
  PlaneHistograms planes{};
  const size_t whole = sample.size() - sample.size() % kMaxWidth;
  for (size_t i = 0; i < whole; i += kMaxWidth) {
    for (size_t place = 0; place < kMaxWidth; ++place) {
      ++planes[place][std::to_integer<uint8_t>(sample[i + place])];
    }
  }
  return planes;
}

// Bits that an order-0 coder needs for what `counts` counts.
double entropy_bits(const Histogram& counts) {
  double total = 0;
  double sum = 0;
  for (const uint32_t count : counts) {
    if (count == 0) continue;
    total += count;
    sum += count * std::log2(static_cast<double>(count));
  }
  return total == 0 ? 0 : total * std::log2(total) - sum;
}

double plane_bits(const PlaneHistograms& planes, size_t width) {
  double bits = 0;
  for (size_t plane = 0; plane < width; ++plane) {
    Histogram merged{};
    for (size_t place = plane; place < kMaxWidth; place += width) {
      for (size_t value = 0; value < merged.size(); ++value) merged[value] += planes[place][value];
    }
    bits += entropy_bits(merged);
  }
  return bits;
}

// The narrowest width whose planes promise clearly less than the next narrower one's.
size_t find_width(ByteView sample) {
  const PlaneHistograms planes = count_planes(sample);
  size_t best = 1;
  double best_bits = plane_bits(planes, 1);
  for (const size_t width : {size_t{2}, size_t{4}, size_t{8}}) {
    const double bits = plane_bits(planes, width);
    if (clearly_less(bits, best_bits)) {
      best = width;
      best_bits = bits;
    }
  }
  return best;
}

// The chunk itself where it is no longer than a sample; pieces start at multiples of an element.
Buffer take_sample(ByteView plain) {
  if (plain.size() <= kPieces * kPieceBytes) return Buffer::copy_of(plain);
  Buffer sample(kPieces * kPieceBytes);
  const size_t stride = (plain.size() - kPieceBytes) / (kPieces - 1) / kMaxWidth * kMaxWidth;
  for (size_t i = 0; i < kPieces; ++i) {
    std::memcpy(sample.data() + i * kPieceBytes, plain.data() + i * stride, kPieceBytes);
  }
  return sample;
}

// One frame for each plane and one for the bytes that are left, so that each gets statistics of its own; width 1: one
// frame. The size of them all.
size_t compress(ByteView plain, size_t width, MutableByteView out, int level) {
  if (width == 1) return zstd_compress(plain, out, level);
  Buffer planes(plain.size());
  split_planes(plain, width, planes.mutable_view());
  const size_t plane_bytes = plain.size() / width;
  size_t size = 0;
  for (size_t i = 0; i < width; ++i) {
    size += zstd_compress(planes.view().subspan(i * plane_bytes, plane_bytes), out.subspan(size), level);
  }
  const ByteView rest = planes.view().subspan(width * plane_bytes);
  return rest.empty() ? size : size + zstd_compress(rest, out.subspan(size), level);
}

// The width to compress with (1: as it is), or 0 where nothing pays.
size_t choose_width(ByteView plain) {
  const Buffer sample = take_sample(plain);
  Buffer out(zstd_bound(sample.size()));
  const size_t as_is = compress(sample.view(), 1, out.mutable_view(), kSampleLevel);
  const size_t width = find_width(sample.view());
  const size_t in_planes = width == 1 ? as_is : compress(sample.view(), width, out.mutable_view(), kSampleLevel);
  if (!pays(std::min(as_is, in_planes), sample.size())) return 0;
  return clearly_less(in_planes, as_is) ? width : 1;
}

Buffer encode_raw(ByteView plain) {
  Buffer object(kChunkHeaderBytes + plain.size());
  const auto size = static_cast<uint32_t>(plain.size());
  write_header({.plain_bytes = size, .payload_bytes = size}, object.data());
  std::memcpy(object.data() + kChunkHeaderBytes, plain.data(), plain.size());
  return object;
}

Buffer encode_zstd(ByteView plain, size_t width, int level) {
  Buffer object(kChunkHeaderBytes + zstd_bound(plain.size()));
  const size_t payload = compress(plain, width, object.mutable_view().subspan(kChunkHeaderBytes), level);
  write_header({.encoding = width == 1 ? ChunkEncoding::zstd : ChunkEncoding::planes_zstd,
                .width = static_cast<uint8_t>(width),
                .plain_bytes = static_cast<uint32_t>(plain.size()),
                .payload_bytes = static_cast<uint32_t>(payload)},
               object.data());
  object.shrink_to(kChunkHeaderBytes + payload);
  return object;
}

Result<Header> read_header(ByteView object) {
  if (object.size() < kChunkHeaderBytes) return fail(Errc::corrupt, "{} bytes are no chunk object", object.size());
  if (std::memcmp(object.data(), kMagic.data(), kMagic.size()) != 0) return fail(Errc::corrupt, "no chunk object");
  const auto version = std::to_integer<unsigned>(object[4]);
  if (version > kVersion) {
    return fail(Errc::unsupported, "chunk version {}; this cairnfs reads up to {}", version, kVersion);
  }
  Header header{.encoding = static_cast<ChunkEncoding>(object[5]),
                .width = std::to_integer<uint8_t>(object[6]),
                .plain_bytes = load_le<uint32_t>(object.data() + 8),
                .payload_bytes = load_le<uint32_t>(object.data() + 12)};
  if (version == 0 || object[7] != std::byte{0} || header.payload_bytes != object.size() - kChunkHeaderBytes) {
    return fail(Errc::corrupt, "malformed chunk header");
  }
  return header;
}

bool width_fits(const Header& header) {
  if (header.encoding != ChunkEncoding::planes_zstd) return header.width == 1;
  return header.width == 2 || header.width == 4 || header.width == 8;
}

Result<Buffer> decode_raw(Buffer object, uint32_t expected_size) {
  object.drop_front(kChunkHeaderBytes);
  if (object.size() != expected_size) return fail(Errc::corrupt, "raw chunk of {} bytes", object.size());
  return object;
}

Result<Buffer> decode_zstd(ByteView payload, size_t width, uint32_t expected_size, size_t skew) {
  Buffer grouped = Buffer::placed(expected_size, skew);
  if (auto done = zstd_decompress(payload, grouped.mutable_view()); !done) return fail(std::move(done).error());
  if (width == 1) return grouped;
  Buffer plain = Buffer::placed(expected_size, skew);
  join_planes(grouped.view(), width, plain.mutable_view());
  return plain;
}

}  // namespace

Buffer encode_chunk(ByteView plain, int compression_level) {
  check(!plain.empty() && plain.size() <= kMaxPlainBytes, "a chunk is 1 byte to 4 MiB");
  const size_t width = choose_width(plain);
  if (width != 0) {
    Buffer object = encode_zstd(plain, width, compression_level);
    if (pays(object.size() - kChunkHeaderBytes, plain.size())) return object;
  }
  return encode_raw(plain);
}

uint64_t decoding_bytes(ByteView object, uint32_t expected_size) {
  const auto header = read_header(object);
  if (!header || header->encoding == ChunkEncoding::raw) return 0;
  return uint64_t{expected_size} * (header->encoding == ChunkEncoding::planes_zstd ? 2 : 1);
}

Result<Buffer> decode_chunk(Buffer object, uint32_t expected_size, size_t skew) {
  const auto header = read_header(object.view());
  if (!header) return fail(header.error());
  if (header->plain_bytes != expected_size || !width_fits(*header)) {
    return fail(Errc::corrupt, "a chunk of {} bytes where {} belong", header->plain_bytes, expected_size);
  }
  const ByteView payload = object.view().subspan(kChunkHeaderBytes);
  switch (header->encoding) {
    case ChunkEncoding::raw: return decode_raw(std::move(object), expected_size);
    case ChunkEncoding::zstd:
    case ChunkEncoding::planes_zstd: return decode_zstd(payload, header->width, expected_size, skew);
  }
  return fail(Errc::unsupported, "chunk encoding {} is of a newer cairnfs", static_cast<int>(header->encoding));
}

}  // namespace cairn
