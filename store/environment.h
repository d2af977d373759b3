// What the store's classes work with: the outside worlds they were given, and the settings they share.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/memory_budget.h"
#include "base/random.h"
#include "cache/block_cache.h"
#include "cache/image_cache.h"
#include "cache/staging_area.h"
#include "remote/object_store.h"
#include "store/damaged_objects.h"
#include "store/format/envelope.h"
#include "store/format/store_format.h"
#include "store/known_objects.h"
#include "store/refused_records.h"

namespace cairn {

struct StoreOptions {
  std::string host;                                                      // recorded with every version and record
  std::chrono::nanoseconds revalidate{std::chrono::seconds(1)};          // how old a directory view an open may use
  std::chrono::nanoseconds commit_delay{std::chrono::seconds(1)};        // how long commit_soon may wait
  std::chrono::nanoseconds operation_timeout{std::chrono::seconds(60)};  // for work that no caller waits for
  uint32_t prefetch_chunks = 16;  // how far ahead of a sequential reader, at most
  bool load_profile = true;       // read and leave the orders of cold loads in the store
  bool prefetch_siblings = true;  // the next of `model-00001-of-00004` while one is read
  int compression_level = 1;      // zstd's
  bool verify_digest = false;     // check SHA-256 besides XXH3 on every fetched chunk
  bool read_only = false;
  uint64_t most_open = 1ULL << 19;     // open files and directories that all users share
  uint64_t most_writers = 1ULL << 17;  // of them open for writing: each may come to hold a staging file
  bool commit_async = false;  // a close returns once it is durable on this machine, with its place in the order
};

// Counted by the store's classes, shown by `cairnfs status`. Monotonic since the daemon's start.
struct StoreCounters {
  std::atomic<uint64_t> chunks_fetched{0};
  std::atomic<uint64_t> fetched_bytes{0};      // encoded, as they crossed the wire
  std::atomic<uint64_t> chunks_prefetched{0};  // of chunks_fetched
  std::atomic<uint64_t> chunks_sent{0};
  std::atomic<uint64_t> sent_bytes{0};       // encoded
  std::atomic<uint64_t> chunks_shared{0};    // found already stored, not sent
  std::atomic<uint64_t> shared_bytes{0};     // plain
  std::atomic<uint64_t> corrupt_objects{0};  // refused: digest or grammar
  std::atomic<uint64_t> commits{0};
  std::atomic<uint64_t> commit_races{0};     // lost to another host, and repeated
  std::atomic<uint64_t> dropped_changes{0};  // commit_soon changes that another host's made impossible
  std::atomic<uint64_t> versions_published{0};
  std::atomic<uint64_t> publish_failures{0};  // close/fsync that returned an error
};

// References are borrowed and outlive every object made with this environment.
// Thread-safety: const but for the counters, which are atomic, and what is damaged, known or refused, which have locks.
struct StoreEnvironment {
  ObjectStore& objects;
  BlockCache& cache;
  ImageCache& images;
  StagingArea& staging;
  MemoryBudget& memory;
  Executor& io;       // blocking remote calls: fetches and sends
  Executor& compute;  // digests and codecs, about one thread per core
  const Clock& clock;
  Random& random;
  StoreFormat format;  // of the store that was opened
  StoreOptions options;
  StoreCounters counters;
  DamagedObjects damaged{};
  KnownObjects known{};
  RefusedRecords refused{};
  // What decoders of chunks allocate besides the chunk's own bytes. Decoding is short, and few cores do it at once. It
  // may be waited for with a chunk's memory in hand, since whoever has it needs nothing more.
  MemoryBudget decoding{memory.limit_bytes() / 8};

  [[nodiscard]] RequestContext background(Cause cause) const {
    return RequestContext::within(options.operation_timeout, cause);
  }

  // What one directory's records, or one manifest, may take while they are read. More is an error of that one alone.
  [[nodiscard]] uint64_t most_metadata_bytes() const { return memory.limit_bytes() / 2; }
  // How far a directory may grow: as far as this host could read it anew, and one record could list it.
  [[nodiscard]] uint64_t most_directory_weight() const { return std::min(most_metadata_bytes(), kMaxMessageBytes); }
  // Room for what a message of that many bytes becomes; held while it is decoded. Small ones are not worth a wait.
  // Failures: those of MemoryBudget::acquire.
  Result<MemoryBudget::Lease> room_to_decode(uint64_t message_bytes, const RequestContext& context) const {
    constexpr uint64_t kGrowth = 16;
    constexpr uint64_t kSmall = 64 << 10;
    if (message_bytes <= kSmall) return MemoryBudget::Lease();
    return memory.acquire(std::min(message_bytes, most_metadata_bytes() / kGrowth) * kGrowth, context);
  }
};

}  // namespace cairn
