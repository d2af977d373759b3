// Small strong words for what the store counts and names.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace cairn {

// A file's, directory's or link's stable identity: st_ino on every host, and a directory's key in the store.
// 64 random bits, never 0; the root is 1. A directory id that is taken is noticed when its first record is put.
using EntryId = uint64_t;
inline constexpr EntryId kRootId = 1;

// A random id that is neither of the two reserved ones.
EntryId fresh_entry_id(Random& random);

// 1, 2, 3… within one name's history.
using VersionNumber = uint64_t;

// 1, 2, 3… within one directory.
using RecordNumber = uint64_t;

}  // namespace cairn
