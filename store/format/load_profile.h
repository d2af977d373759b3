// Load profiles between memory and objects (docs/format.md, "Load profiles").
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// The chunks of a version by index, in the order in which a load first read them; none twice, and perhaps not all.
using LoadOrder = std::vector<uint32_t>;

// A message is no longer than this: half a million runs at worst. Such an order helps nobody.
inline constexpr uint64_t kMaxProfileMessageBytes = 1ULL << 20;

// How many runs of neighbouring chunks the order consists of.
[[nodiscard]] size_t count_runs(const LoadOrder& order);

// Failures: no_space (longer than kMaxProfileMessageBytes).
Result<Buffer> encode_load_profile(const LoadOrder& order);

// Safe on hostile bytes: what it gives is an order of distinct chunks below `chunks`, and nothing else is known of it.
// Failures: corrupt; unsupported (a newer version or codec).
Result<LoadOrder> decode_load_profile(ByteView object, size_t chunks);

}  // namespace cairn
