// Bytes regrouped by their position in an element: the exponents of floats next to each other compress, mixed with
// mantissas they do not.
#pragma once

#include "base/bytes.h"

namespace cairn {

// Plane 0 of all whole elements of `width` (2, 4 or 8) bytes, then plane 1, and so on; the bytes after the last whole
// element stay at the end. `out` has in.size() bytes and does not overlap `in`.
void split_planes(ByteView in, size_t width, MutableByteView out);

// The inverse.
void join_planes(ByteView in, size_t width, MutableByteView out);

}  // namespace cairn
