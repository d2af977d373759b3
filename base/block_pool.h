// Memory for buffers of a chunk's size, which come and go thousands of times a second.
#pragma once

#include <cstddef>
#include <memory>

namespace cairn {

// Gives the memory back: to the pool, or to the heap.
struct BlockDeleter {
  bool is_pooled = false;
  void operator()(std::byte* block) const;
};
using Block = std::unique_ptr<std::byte[], BlockDeleter>;

// `size_bytes` of uninitialised memory. Blocks of 2 MiB to a little above 4 MiB come from a pool that keeps at most 64
// MiB of free ones mapped, in huge pages where the kernel allows it: clearing fresh pages and their faults were a
// quarter of the CPU time of a cold read. Sanitized builds keep none, so that they see every use after the end.
// Thread-safety: may be called from any thread.
Block allocate_block(size_t size_bytes);

}  // namespace cairn
