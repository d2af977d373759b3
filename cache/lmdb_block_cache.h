// The cache on this machine's disk.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/thread.h"
#include "base/wait.h"
#include "cache/block_cache.h"
#include "cache/chunk_ledger.h"
#include "cache/directory_lock.h"
#include "cache/lmdb_block_table.h"

namespace cairn {

// Lives in `<path>/blocks/`: an LMDB file that never grows beyond the capacity, the order of use (`recency`), a lock,
// the least `care` with which anything was put, and `clean` while nobody has it open and the last owner ended in order.
// Anything wrong with the file is answered by starting an empty one: a cache is never the only copy.
//
// Chunks wait in a bounded queue, from which they are read as well, for one writer thread; it stores them in batches
// and evicts the least recently used. What the disk refuses is dropped: the cache then makes do with the size its file
// has, and takes no chunks for a while when even that fails. A disk that fails, and files that somebody removes from
// under it, cost their chunks and nothing else: the table is begun anew as soon as the disk allows.
//
// Thread-safety: all methods may be called from any thread at once. Reads never wait for a write.
// Ownership: open it after fork(); one process at a time (flock). The destructor stores what is queued.
// Memory: queue_bytes of the callers' buffers, a batch (16 MiB at most) in LMDB's, and about 120 bytes per chunk.
class LmdbBlockCache final : public BlockCache {
 public:
  static constexpr uint64_t kMinCapacityBytes = 32 << 20;

  struct Options {
    std::string path;
    uint64_t capacity_bytes = 0;      // of the file on disk; at least kMinCapacityBytes
    uint64_t queue_bytes = 64 << 20;  // of chunks waiting for the writer; what comes on top is dropped
    // How well the owner checks what he puts: more is better. If what is there was put with less, it is forgotten.
    uint32_t care = 0;
    const Clock* clock = &system_clock();  // borrowed
  };

  // Failures: conflict (in use by another process), invalid_argument, permission_denied, no_space, io.
  static Result<std::unique_ptr<LmdbBlockCache>> open(Options options);
  ~LmdbBlockCache() override;
  LmdbBlockCache(const LmdbBlockCache&) = delete;
  LmdbBlockCache& operator=(const LmdbBlockCache&) = delete;

  bool read(const ChunkId& id, uint64_t offset, MutableByteView out) override;
  void put(const ChunkId& id, SharedBuffer plain) override;
  [[nodiscard]] bool contains(const ChunkId& id) const override;
  void flush() override;
  void clear() override;
  [[nodiscard]] BlockCacheStats stats() const override;

 private:
  using WriteOutcome = LmdbBlockTable::WriteOutcome;

  LmdbBlockCache(Options options, std::string directory, DirectoryLock lock);
  void start();
  void note_care();

  bool read_stored(const ChunkId& id, uint64_t chunk_bytes, uint64_t offset, MutableByteView out);

  [[nodiscard]] bool has_work() const CAIRN_REQUIRES(mutex_);

  // The rest runs in the writer thread, or before it starts and after it ended.
  void run();
  void work();
  void store_next_batch();
  WriteOutcome store(const ChunkLedger::Batch& batch);
  WriteOutcome write(const ChunkLedger::Batch& batch);
  void evict_down_to(uint64_t bytes);
  void stop_growing();
  void pause_puts() CAIRN_REQUIRES(mutex_);

  void notice_removal();
  Result<void> restore_directory();
  void complain(const std::string& about);
  void open_table();
  Result<void> try_open_table();
  Result<void> shrink_to_capacity();
  void replace_table(bool empty);
  void forget_table();
  void save_order_of_use();
  [[nodiscard]] uint64_t stored_bytes() const;
  uint64_t limit_bytes();  // of what is stored

  const Options options_;
  const std::string directory_;
  DirectoryLock lock_;  // the writer's
  const uint64_t batch_bytes_;
  std::string complaint_;  // the writer's: what was logged last, and lasts

  // Held shared to use the table, alone to replace it. mutex_ may be taken while holding it, not the other way round.
  // The writer thread, which is the only one to replace the table, uses it without; so the compiler cannot check this.
  mutable SharedMutex table_gate_;         // orders use and replacement of table_
  std::unique_ptr<LmdbBlockTable> table_;  // null while none can be had

  mutable Mutex mutex_;
  Condition work_;      // there is something for the writer
  Condition progress_;  // the writer has finished something
  ChunkLedger ledger_ CAIRN_GUARDED_BY(mutex_);
  uint64_t growth_limit_bytes_ CAIRN_GUARDED_BY(mutex_);  // the capacity, or less while the disk is full
  SteadyTime grow_again_at_ CAIRN_GUARDED_BY(mutex_){};
  SteadyTime paused_until_ CAIRN_GUARDED_BY(mutex_){};  // takes no chunks before
  bool damaged_ CAIRN_GUARDED_BY(mutex_) = false;       // the table is useless: open another
  uint64_t clears_wanted_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t clears_done_ CAIRN_GUARDED_BY(mutex_) = 0;
  bool stopping_ CAIRN_GUARDED_BY(mutex_) = false;

  std::atomic<uint64_t> hits_{0};
  std::atomic<uint64_t> misses_{0};
  std::atomic<uint64_t> corrupt_{0};
  std::atomic<uint64_t> evicted_{0};
  std::atomic<uint64_t> dropped_{0};

  Thread writer_;  // last: it uses everything above
};

}  // namespace cairn
