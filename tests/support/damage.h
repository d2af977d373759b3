// Damage to bytes, for tests that require it to be noticed.
#pragma once

#include <functional>

#include "base/bytes.h"

namespace cairn {

// Calls `probe` with every truncation of `object` and with each of its bits flipped in turn. For long objects only
// about `most` of each, spread evenly.
inline void for_each_damage(ByteView object, const std::function<void(ByteView damaged, size_t where)>& probe,
                            size_t most = 2000) {
  const size_t size_step = object.size() / most + 1;
  for (size_t size = 0; size < object.size(); size += size_step) probe(object.first(size), size);
  const size_t bits = object.size() * 8;
  const size_t bit_step = bits / most + 1;
  Buffer copy = Buffer::copy_of(object);
  for (size_t bit = 0; bit < bits; bit += bit_step) {
    const std::byte mask{static_cast<uint8_t>(1U << (bit % 8))};
    copy.data()[bit / 8] ^= mask;
    probe(copy.view(), bit / 8);
    copy.data()[bit / 8] ^= mask;
  }
}

}  // namespace cairn
