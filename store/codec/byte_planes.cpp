#include "store/codec/byte_planes.h"

#include <array>

#include "base/check.h"

namespace cairn {

namespace {

// Sixteen bytes at a time, in the vector extensions that g++ and clang share. Splitting is log2(width) rounds of
// "bytes at even positions, bytes at odd ones"; joining is the rounds backwards. Measured on one core in 4 MiB chunks:
// widths 2, 4 and 8 at 16, 9 and 4 GB/s both ways, next to 0.6 to 0.9 GB/s for the zstd that follows.
constexpr size_t kLane = 16;
using Vector = uint8_t __attribute__((vector_size(kLane)));

Vector load(const std::byte* from) {
  Vector vector;
  std::memcpy(&vector, from, kLane);
  return vector;
}

void store(Vector vector, std::byte* to) { std::memcpy(to, &vector, kLane); }

Vector even(Vector a, Vector b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
Vector odd(Vector a, Vector b) {
  return __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}
Vector zip_low(Vector a, Vector b) {
  return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
Vector zip_high(Vector a, Vector b) {
  return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// Sixteen elements of kWidth bytes in file order become kWidth planes of sixteen bytes.
template <size_t kWidth>
std::array<Vector, kWidth> split(const std::array<Vector, kWidth>& in) {
  if constexpr (kWidth == 1) {
    return in;
  } else {
    std::array<Vector, kWidth / 2> evens, odds;
    for (size_t i = 0; i < kWidth / 2; ++i) {
      evens[i] = even(in[2 * i], in[2 * i + 1]);
      odds[i] = odd(in[2 * i], in[2 * i + 1]);
    }
    const auto even_planes = split<kWidth / 2>(evens);
    const auto odd_planes = split<kWidth / 2>(odds);
    std::array<Vector, kWidth> planes;
    for (size_t i = 0; i < kWidth / 2; ++i) {
      planes[2 * i] = even_planes[i];
      planes[2 * i + 1] = odd_planes[i];
    }
    return planes;
  }
}

template <size_t kWidth>
std::array<Vector, kWidth> join(const std::array<Vector, kWidth>& planes) {
  if constexpr (kWidth == 1) {
    return planes;
  } else {
    std::array<Vector, kWidth / 2> even_planes, odd_planes;
    for (size_t i = 0; i < kWidth / 2; ++i) {
      even_planes[i] = planes[2 * i];
      odd_planes[i] = planes[2 * i + 1];
    }
    const auto evens = join<kWidth / 2>(even_planes);
    const auto odds = join<kWidth / 2>(odd_planes);
    std::array<Vector, kWidth> out;
    for (size_t i = 0; i < kWidth / 2; ++i) {
      out[2 * i] = zip_low(evens[i], odds[i]);
      out[2 * i + 1] = zip_high(evens[i], odds[i]);
    }
    return out;
  }
}

template <size_t kWidth>
void split_all(const std::byte* in, size_t elements, std::byte* out) {
  size_t at = 0;
  for (; at + kLane <= elements; at += kLane) {
    std::array<Vector, kWidth> lanes;
    for (size_t i = 0; i < kWidth; ++i) lanes[i] = load(in + at * kWidth + i * kLane);
    const auto planes = split<kWidth>(lanes);
    for (size_t i = 0; i < kWidth; ++i) store(planes[i], out + i * elements + at);
  }
  for (; at < elements; ++at) {
    for (size_t i = 0; i < kWidth; ++i) out[i * elements + at] = in[at * kWidth + i];
  }
}

template <size_t kWidth>
void join_all(const std::byte* in, size_t elements, std::byte* out) {
  size_t at = 0;
  for (; at + kLane <= elements; at += kLane) {
    std::array<Vector, kWidth> planes;
    for (size_t i = 0; i < kWidth; ++i) planes[i] = load(in + i * elements + at);
    const auto lanes = join<kWidth>(planes);
    for (size_t i = 0; i < kWidth; ++i) store(lanes[i], out + at * kWidth + i * kLane);
  }
  for (; at < elements; ++at) {
    for (size_t i = 0; i < kWidth; ++i) out[at * kWidth + i] = in[i * elements + at];
  }
}

void copy_rest(ByteView in, size_t width, MutableByteView out) {
  check(in.size() == out.size(), "planes are as long as the bytes they regroup");
  const size_t rest = in.size() % width;
  if (rest != 0) std::memcpy(out.data() + out.size() - rest, in.data() + in.size() - rest, rest);
}

}  // namespace

void split_planes(ByteView in, size_t width, MutableByteView out) {
  copy_rest(in, width, out);
  switch (width) {
    case 2: return split_all<2>(in.data(), in.size() / 2, out.data());
    case 4: return split_all<4>(in.data(), in.size() / 4, out.data());
    case 8: return split_all<8>(in.data(), in.size() / 8, out.data());
    default: check_failed("an element is 2, 4 or 8 bytes wide");
  }
}

void join_planes(ByteView in, size_t width, MutableByteView out) {
  copy_rest(in, width, out);
  switch (width) {
    case 2: return join_all<2>(in.data(), in.size() / 2, out.data());
    case 4: return join_all<4>(in.data(), in.size() / 4, out.data());
    case 8: return join_all<8>(in.data(), in.size() / 8, out.data());
    default: check_failed("an element is 2, 4 or 8 bytes wide");
  }
}

}  // namespace cairn
