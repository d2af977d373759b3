// Chunks by reference: from memory, the local cache or the store, each fetched once and checked before anyone sees it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <unordered_map>

#include "base/wait.h"
#include "store/chunks/resident_chunks.h"
#include "store/environment.h"
#include "store/format/manifest.h"

namespace cairn {

// A fetch is a flight: an io thread runs it, and every reader of the chunk waits for it to land. Memory for a flight is
// taken by the reader that launches it, before it starts and while that reader holds no other, so that pool threads
// never wait for memory and no thread waits for memory with memory in hand.
//
// Thread-safety: all methods may be called from any thread; no lock is held while waiting or fetching. One ChunkReader
//   per environment: it is the budget's reclaimer.
// Ownership: buffers are shared and count against the MemoryBudget until the last holder lets go; recently used ones
//   stay resident as long as nobody else needs the memory, those read to their end in at most half of the budget.
// Failures: not_found ("chunk 3f2a… is missing from the store: run `cairnfs check`"), corrupt (a second fetch failed
//   its check as well), those of ObjectStore. A waiter whose own context ends leaves; the fetch goes on for the others
//   and is cancelled when nobody is left.
class ChunkReader {
 public:
  explicit ChunkReader(StoreEnvironment& environment);
  // Cancels what is under way and waits for its end.
  ~ChunkReader();
  ChunkReader(const ChunkReader&) = delete;
  ChunkReader& operator=(const ChunkReader&) = delete;

  // Copies the chunk's bytes from `offset` on into `out`. Tries memory, then images and the cache's blocks (only those
  // touched), then fetches the whole chunk (one fetch, however many callers).
  // `image` here and below: where the chunk belongs once it has been fetched; nullptr: among the blocks.
  Result<void> read(const ChunkRef& chunk, uint64_t offset, MutableByteView out, const RequestContext& context,
                    const ImagePtr& image = nullptr);

  // The whole chunk, pinned while the buffer is held.
  Result<SharedBuffer> fetch(const ChunkRef& chunk, const RequestContext& context, const ImagePtr& image = nullptr);

  // Starts to bring the chunk into memory and cache; never waits. `done` is called exactly once from any thread, with
  // the chunk or the reason why not (no_space: prefetches fill their share of the memory budget, or a reader waits for
  // memory, or the disk is behind; ask again later).
  using Done = std::function<void(Result<SharedBuffer>)>;
  void prefetch(const ChunkRef& chunk, Done done, const ImagePtr& image = nullptr);

  // The reader of a prefetched chunk will find `size_bytes` of it elsewhere; the rest it comes for.
  void mark_delivered(const ChunkRef& chunk, uint64_t size_bytes);

  // No reader needs to come for the chunk: others have what is left of it, or it can be had again at little cost.
  void finish(const ChunkRef& chunk);

  // In memory, in the cache, or on its way.
  [[nodiscard]] bool is_local(const ChunkRef& chunk) const;

  // In the cache of this machine.
  [[nodiscard]] bool is_cached(const ChunkRef& chunk) const;
  // What that holds at most.
  [[nodiscard]] uint64_t cache_bytes() const;

  // Runs `task` on an io thread, unless this reader is about to end. The destructor stops it and waits for its end.
  using Task = std::function<void(const std::stop_token& stop)>;
  void run_aside(Task task);

  // Drops the resident chunks: for tests and benchmarks that begin with cold memory.
  void drop_memory();

 private:
  // Where a flight may find the chunk: a reader that just missed in the cache need not look again.
  enum class Source { cache_or_store, store };
  struct Flight;
  using FlightPtr = std::shared_ptr<Flight>;

  SharedBuffer use_resident(const ChunkRef& chunk, uint64_t size_bytes);
  // What a flight is for.
  struct Wanted {
    const ChunkRef& chunk;
    const ImagePtr& image;
    Source source;
  };
  Result<SharedBuffer> fly(const Wanted& wanted, uint64_t used_bytes, const RequestContext& context);
  FlightPtr join(const ChunkRef& chunk);
  FlightPtr join_or_launch(const Wanted& wanted, Cause cause, MemoryBudget::Lease lease);
  FlightPtr join_locked(const ChunkRef& chunk) CAIRN_REQUIRES(mutex_);
  FlightPtr launch_locked(const Wanted& wanted, Cause cause, MemoryBudget::Lease lease) CAIRN_REQUIRES(mutex_);
  Result<SharedBuffer> wait(const FlightPtr& flight, const RequestContext& context);
  bool leave_locked(const FlightPtr& flight) CAIRN_REQUIRES(mutex_);

  bool attach_locked(const ChunkRef& chunk, Done& done) CAIRN_REQUIRES(mutex_);
  Result<MemoryBudget::Lease> lease_for_prefetch(uint64_t size_bytes);

  void submit_locked(const FlightPtr& flight) CAIRN_REQUIRES(mutex_);
  void run(const FlightPtr& flight);
  void count_out();
  Result<SharedBuffer> bring(Flight& flight);
  std::optional<Buffer> find_on_disk(const ChunkRef& chunk);
  void keep_on_disk(const Flight& flight, const SharedBuffer& plain);
  Result<Buffer> fetch_verified(const ChunkRef& chunk, const RequestContext& context);
  Result<Buffer> fetch_once(const ChunkRef& chunk, const RequestContext& context);
  Result<void> verify(const ChunkRef& chunk, ByteView plain) const;
  void land(const FlightPtr& flight, Result<SharedBuffer> outcome);
  void reclaim(uint64_t wanted_bytes);

  StoreEnvironment& environment_;
  mutable Mutex mutex_;
  std::unordered_map<ChunkId, FlightPtr, DigestHash> flights_ CAIRN_GUARDED_BY(mutex_);  // that may be joined
  ResidentChunks kept_ CAIRN_GUARDED_BY(mutex_);
  uint64_t prefetching_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;  // leased to prefetches in flight
  size_t tasks_ CAIRN_GUARDED_BY(mutex_) = 0;                // in the io pool
  bool ending_ CAIRN_GUARDED_BY(mutex_) = false;
  Condition idle_;
  std::stop_source asides_;
};

}  // namespace cairn
