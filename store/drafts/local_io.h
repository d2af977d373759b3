// All of some bytes, from and to a local file.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace cairn {

// What lies past the end of the file reads as zeros. Failures: io.
Result<void> read_fully(int fd, uint64_t offset, MutableByteView out);
// Failures: no_space, io; part of the bytes may then be written.
Result<void> write_fully(int fd, uint64_t offset, ByteView bytes);

}  // namespace cairn
