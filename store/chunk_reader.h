// Chunks by reference: from memory, the local cache or the store, each fetched once and checked before anyone sees it.
#pragma once

#include <functional>
#include <memory>

#include "store/environment.h"
#include "store/manifest.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread; no lock is held while waiting or fetching.
// Ownership: buffers are shared and count against the MemoryBudget until the last holder lets go; recently used ones
//   are kept as long as nobody else needs the memory.
// Failures: not_found ("chunk 3f2a… is missing from the store: run `cairnfs check`"), corrupt (after a second fetch also
//   failed its check), those of ObjectStore. A waiter whose own context ends leaves; the fetch goes on for the others
//   and is cancelled when nobody is left.
class ChunkReader {
 public:
  explicit ChunkReader(StoreEnvironment& environment);
  ~ChunkReader();

  // Copies the chunk's bytes from `offset` on into `out`. Tries memory, then the cache's blocks (only those touched),
  // then fetches the whole chunk (one fetch, however many callers).
  Result<void> read(const ChunkRef& chunk, uint64_t offset, MutableByteView out, const RequestContext& context);

  // The whole chunk, pinned while the buffer is held.
  Result<SharedBuffer> fetch(const ChunkRef& chunk, const RequestContext& context);

  // Starts to bring the chunk into memory and cache; never waits. `done` is called exactly once from any thread, with
  // the chunk or the reason why not (no_space: the memory budget is in use; ask again later).
  using Done = std::function<void(Result<SharedBuffer>)>;
  void prefetch(const ChunkRef& chunk, Done done);

  // In memory, in the cache, or on its way.
  [[nodiscard]] bool is_local(const ChunkRef& chunk) const;

  // Drops the buffers that are only kept. What tests and benchmarks call "memory cold".
  void drop_memory();

 private:
  StoreEnvironment& environment_;
};

}  // namespace cairn
