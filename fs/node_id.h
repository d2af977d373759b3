// What the kernel and a filesystem call their nodes and open files.
#pragma once

#include <cstdint>

namespace cairn {

// Names an in-memory node, as the kernel does: one directory, or one file at one published version. The root is 1.
using NodeId = uint64_t;
// Names one open file or directory.
using HandleId = uint64_t;
inline constexpr NodeId kRootNode = 1;

}  // namespace cairn
