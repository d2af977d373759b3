// What stands beside an image: which bytes belong where, and which of them are there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/chunk_ref.h"
#include "base/result.h"

namespace cairn {

// Names a content: the SHA-256 of its size and its chunk list.
using ImageId = Digest;
ImageId image_id(uint64_t size_bytes, const std::vector<ChunkRef>& chunks);

// The file `<number>.map`:
//
//   "cairnimg", version (u32), care (u32), size of the image (u64), number of chunks (u64), is whole (u8),
//   inode number of the data (u64)
//   for each chunk, in the order of the file: offset (u64), size (u32), SHA-256, XXH3-128
//   a bit for each chunk, the first one lowest: it is there
//   XXH3-128 of all of the above
//
// Integers are little-endian. There is one version; a map of any other is as good as none.
struct ImageMap {
  uint32_t care = 0;  // with how much checking the chunks were put
  uint64_t size_bytes = 0;
  bool is_whole = false;  // known durably: believed without another look,
  uint64_t inode = 0;     // if the data is this very file, and no copy of it
  ChunkList chunks;
  std::vector<bool> present;
};

std::string encode_image_map(const ImageMap& map);
// Failures: corrupt, if anything about it is wrong: what it says is then of no use.
Result<ImageMap> parse_image_map(std::string_view bytes);

}  // namespace cairn
