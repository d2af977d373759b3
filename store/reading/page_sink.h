// Where verified bytes that nobody asked for yet may go.
#pragma once

#include <functional>

#include "base/bytes.h"

namespace cairn {

// Receives bytes of a file for the kernel's page cache. `bytes` are whole pages (the file's last one may be short) that
// lie within `chunk`, which the sink may hold until they are delivered (it counts against the memory budget meanwhile).
// Called from a pool thread that fetches need too, holding no lock of ours: it must queue or drop, not wait for the
// kernel. False: they were dropped.
using PageSink = std::function<bool(uint64_t offset, ByteView bytes, const SharedBuffer& chunk)>;

}  // namespace cairn
