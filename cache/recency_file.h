// The order of use of the cached chunks, from one run of the daemon to the next.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/digest.h"

namespace cairn {

// Eight bytes tell chunks of one cache apart well enough: a mix-up would only evict in a slightly different order.
using RecencyTag = uint64_t;
RecencyTag recency_tag(const ChunkId& id);

// Writes the tags, the least recently used first, over what was there. Losing them is logged and harmless.
void save_recency(const std::string& path, std::span<const RecencyTag> oldest_first);

// Empty when there is no such file or it is damaged.
std::vector<RecencyTag> load_recency(const std::string& path);

}  // namespace cairn
