// Chunks into the store, each sent once.
#pragma once

#include <functional>
#include <memory>

#include "store/environment.h"
#include "store/manifest.h"

namespace cairn {

// What became of a chunk that was handed in.
struct StoredChunk {
  ChunkRef ref;             // offset as given
  bool was_new = false;     // this call sent it
  uint64_t stored_bytes = 0;  // encoded bytes sent; 0 if shared
};

// Thread-safety: all methods may be called from any thread.
// Durability: `done` reports success only when the chunk is durable in the store.
// "Already in the store" is answered from the ids seen in manifests since the start (remember), then by put_if_absent.
class ChunkWriter {
 public:
  explicit ChunkWriter(StoreEnvironment& environment);
  ~ChunkWriter();

  // Digests, looks up, encodes and sends `plain` on the pools. The caller took the memory from the budget and the
  // lease travels with the buffer. `done` is called exactly once, from a pool thread.
  using Done = std::function<void(Result<StoredChunk>)>;
  void store(uint64_t offset, SharedBuffer plain, MemoryBudget::Lease lease, RequestContext context, Done done);

  // These chunks are durable in the store: a manifest in a record says so.
  void remember(const Manifest& manifest);
  [[nodiscard]] bool is_known(const ChunkId& id) const;

 private:
  StoreEnvironment& environment_;
};

}  // namespace cairn
