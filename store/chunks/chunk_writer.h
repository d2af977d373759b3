// Chunks into the store, each sent once.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/executor.h"
#include "base/turn.h"
#include "base/wait.h"
#include "store/chunks/put_whole.h"
#include "store/codec/chunk_codec.h"
#include "store/environment.h"
#include "store/format/manifest.h"

namespace cairn {

// The outcome of a chunk that was handed in.
struct StoredChunk {
  ChunkRef ref;               // offset as given
  bool was_new = false;       // this call sent it
  uint64_t stored_bytes = 0;  // encoded bytes sent; 0 if shared
};

// Thread-safety: all methods may be called from any thread.
// Durability: `done` reports success only when the chunk is durable in the store.
// "Already in the store" is believed of what this process has put or fetched. What a manifest lists (remember) is
// looked at before anything is sent, what put_if_absent finds after it; what is damaged there is replaced: put_whole.h.
class ChunkWriter {
 public:
  // `senders`: puts under way at once. They have threads of their own, so that no number of readers keeps a save from
  // getting its turn, nor the other way round.
  explicit ChunkWriter(StoreEnvironment& environment, size_t senders = 8);
  // Waits for what was handed in.
  ~ChunkWriter();
  ChunkWriter(const ChunkWriter&) = delete;
  ChunkWriter& operator=(const ChunkWriter&) = delete;

  // The memory that storing a chunk of this size takes: the bytes and their encoded form, or that and what is found in
  // its place.
  [[nodiscard]] static uint64_t lease_bytes(uint32_t chunk_bytes) {
    return 2 * (uint64_t{chunk_bytes} + kChunkHeaderBytes);
  }

  // Digests, looks up, encodes and sends `plain` on the pools. What is sent has StoreOptions::operation_timeout from
  // then on, or until `context` ends. The caller took lease_bytes() from the budget and the
  // lease travels with the buffer: the pools never wait for memory. Of equal chunks under way only one is sent. `done`
  // is called exactly once, from a pool thread.
  // Keep::here: also among the local cache's blocks, for whoever reads it next.
  using Done = std::function<void(Result<StoredChunk>)>;
  enum class Keep { there_alone, here };
  void store(uint64_t offset, SharedBuffer plain, MemoryBudget::Lease lease, RequestContext context, Done done,
             Keep keep = Keep::there_alone);

  // These chunks should be in the store: a manifest in a record says so.
  void remember(const Manifest& manifest) { environment_.known.list(manifest); }

  // The turn of a thread that must wait for more memory while it holds some: for a base chunk, with a lease for store()
  // in hand.
  [[nodiscard]] Turn& gathering() { return gathering_; }

 private:
  struct Parcel;
  using ParcelPtr = std::shared_ptr<Parcel>;

  void identify(const ParcelPtr& parcel);
  void look(const ParcelPtr& parcel);
  void encode(const ParcelPtr& parcel);
  void send(const ParcelPtr& parcel);
  void sent(const ParcelPtr& parcel, const Result<Put>& put);
  [[nodiscard]] NamedObject object_of(const ParcelPtr& parcel) const;
  void failed(const ParcelPtr& parcel, const Error& why);
  std::vector<ParcelPtr> take_followers(const ChunkId& id);
  ParcelPtr next_leader(const ChunkId& id);
  void deliver_shared(const ParcelPtr& parcel);
  void deliver(const ParcelPtr& parcel, Result<StoredChunk> outcome);

  StoreEnvironment& environment_;
  Executor sends_;
  Turn gathering_;
  Mutex mutex_;
  std::unordered_map<ChunkId, std::vector<ParcelPtr>, DigestHash> sending_
      CAIRN_GUARDED_BY(mutex_);  // id -> parcels that follow
  size_t parcels_ CAIRN_GUARDED_BY(mutex_) = 0;
  Condition idle_;
};

}  // namespace cairn
