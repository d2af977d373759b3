// Proof that an LMDB file can be trusted with our address space.
#pragma once

#include <string>

#include "base/result.h"

namespace cairn {

// LMDB follows page numbers and offsets in its file without looking twice: one flipped bit of a tree page can end the
// process. So before LMDB opens a file, this reads every tree page with pread and requires what LMDB takes for granted:
// a file as long as its meta page says; every page where its parent thinks it is; every node inside its page, keys of
// `key_bytes` in strictly ascending order; counts and depth as recorded; no page used twice, the free list included.
// The data itself (overflow pages) is not read: blocks prove themselves when they are read.
//
// Cost: the tree pages only, about 1.5 ‰ of a full cache.
// Failures: corrupt, with what is wrong; io. An empty or missing file is fine: LMDB will begin a new one.
Result<void> check_lmdb_structure(const std::string& data_path, size_t key_bytes);

}  // namespace cairn
