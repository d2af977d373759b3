// The books of the disk cache: which chunks are where, and how much room they take.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "cache/cached_chunk.h"
#include "cache/lru_map.h"
#include "cache/recency_file.h"

namespace cairn {

// A chunk is queued (in memory, waiting to be written), stored (in the file), or doomed (in the file, but for no
// reader: the next write removes it). It moves queued -> stored -> doomed -> gone, and only here. Thread-safety: none;
// its owner locks.
class ChunkLedger {
 public:
  using Footprint = uint64_t (*)(uint64_t chunk_bytes);
  // `footprint` says how much of the file a chunk takes.
  explicit ChunkLedger(Footprint footprint) : footprint_(footprint) {}

  struct Batch {
    std::vector<std::pair<ChunkId, SharedBuffer>> chunks;
    uint64_t footprint_bytes = 0;
  };
  struct Found {
    SharedBuffer queued;        // set while the chunk waits
    uint64_t stored_bytes = 0;  // or else its size in the file; 0: not here
  };

  // Marks the chunk as just used.
  Found use(const ChunkId& id);
  [[nodiscard]] bool contains(const ChunkId& id) const;

  // Queues a chunk that is not here yet. One that is stored with another size is replaced.
  void enqueue(const ChunkId& id, SharedBuffer plain);
  // Takes chunks off the queue, at least one and then up to `max_bytes`. They stay readable until finish().
  Batch take_batch(uint64_t max_bytes);
  // The batch's chunks are now stored, or forgotten.
  void finish(const Batch& batch, bool stored);

  // Stored chunks become doomed.
  void doom(const ChunkId& id);
  // Dooms the least recently used until what is not doomed takes at most `limit_bytes`; says how many chunks.
  size_t doom_down_to(uint64_t limit_bytes);
  [[nodiscard]] const std::vector<ChunkId>& doomed() const { return doomed_; }
  // The first `count` doomed chunks have left the file.
  void buried(size_t count);

  // Takes over the chunks in the file; those that `oldest_first` does not name count as used last.
  void adopt(std::vector<CachedChunk> chunks, const std::vector<RecencyTag>& oldest_first);
  // The file is gone, and with it all that is stored or doomed.
  void forget_stored();
  // Says how many chunks.
  size_t forget_queued();
  [[nodiscard]] std::vector<RecencyTag> order_of_use() const;

  [[nodiscard]] bool has_queued() const { return !order_.empty(); }
  // Since the beginning: chunks that were queued, and those of them that are queued no more. First in, first out.
  [[nodiscard]] uint64_t accepted_chunks() const { return finished_chunks_ + queued_.size(); }
  [[nodiscard]] uint64_t finished_chunks() const { return finished_chunks_; }
  [[nodiscard]] uint64_t queued_bytes() const { return queued_bytes_; }
  [[nodiscard]] uint64_t stored_bytes() const { return stored_bytes_; }
  [[nodiscard]] uint64_t used_bytes() const { return stored_bytes_ + doomed_bytes_; }
  [[nodiscard]] size_t stored_chunks() const { return stored_.size(); }

 private:
  const Footprint footprint_;
  LruMap<uint64_t> stored_;                                       // the chunk's size
  std::unordered_map<ChunkId, SharedBuffer, DigestHash> queued_;  // with those of unfinished batches
  std::deque<ChunkId> order_;                                     // of arrival, those of batches excluded
  std::vector<ChunkId> doomed_;
  std::vector<uint64_t> doomed_footprints_;  // in step with doomed_
  uint64_t finished_chunks_ = 0;
  uint64_t queued_bytes_ = 0;  // of queued_
  uint64_t stored_bytes_ = 0;  // footprint of stored_
  uint64_t doomed_bytes_ = 0;  // footprint of doomed_
};

}  // namespace cairn
