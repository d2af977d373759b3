#include "cache/recency_file.h"

#include <cstring>

#include "base/log.h"
#include "cache/local_files.h"

namespace cairn {

// The file: tags, then the XXH3-128 of all of them.

RecencyTag recency_tag(const ChunkId& id) { return load_le<RecencyTag>(id.bytes.data()); }

void save_recency(const std::string& path, std::span<const RecencyTag> oldest_first) {
  const ByteView tags = std::as_bytes(oldest_first);
  const Checksum checksum = xxh3_128(tags);
  std::string content(as_text(tags));
  content += as_text(checksum.bytes);
  if (auto saved = replace_file(path, content); !saved) {
    log::warning("cache: order of use not saved: {}", saved.error().message());
  }
}

std::vector<RecencyTag> load_recency(const std::string& path) {
  const auto content = read_whole_file(path);
  if (!content) return {};
  const ByteView bytes = as_bytes(*content);
  constexpr size_t kChecksumBytes = sizeof(Checksum);
  const bool is_whole = bytes.size() >= kChecksumBytes && bytes.size() % sizeof(RecencyTag) == 0;
  const ByteView tags = bytes.first(is_whole ? bytes.size() - kChecksumBytes : 0);
  if (!is_whole || std::memcmp(xxh3_128(tags).bytes.data(), bytes.data() + tags.size(), kChecksumBytes) != 0) {
    log::warning("cache: '{}' is damaged: chunks will be evicted in no particular order at first", path);
    return {};
  }
  std::vector<RecencyTag> loaded(tags.size() / sizeof(RecencyTag));
  if (!tags.empty()) std::memcpy(loaded.data(), tags.data(), tags.size());
  return loaded;
}

}  // namespace cairn
