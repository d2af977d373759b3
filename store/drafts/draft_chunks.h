// The chunks of one draft that are stored already or on their way.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/wait.h"
#include "store/chunks/chunk_writer.h"
#include "store/segments/segment_plan.h"

namespace cairn {

// Remembers the outcome of each cut of the draft for as long as its bytes stay the same, so that no chunk is read, let
// alone sent, twice: neither one that was sent behind a sequential writer, when the draft is sealed, nor one of an
// earlier seal, when it is sealed again.
//
// Thread-safety: all methods may be called from any thread.
class DraftChunks {
 public:
  // Enough to keep the pools and a distant store busy, few enough for many drafts to share the memory budget.
  static constexpr size_t kMaxUnderWay = 8;

  struct Chunk;
  using ChunkPtr = std::shared_ptr<Chunk>;

  // Called for each cut that the store has (nullopt: that is a hole), from any thread, before anybody hears of it.
  using Stored = std::function<void(const ChunkPtr& chunk, const std::optional<ChunkRef>& stored)>;

  DraftChunks(StoreEnvironment& environment, ChunkWriter& writer, Stored stored)
      : environment_(environment), writer_(writer), stored_(std::move(stored)) {}
  // Cancels what is under way and waits for its end.
  ~DraftChunks();
  DraftChunks(const DraftChunks&) = delete;
  DraftChunks& operator=(const DraftChunks&) = delete;

  // The chunk for exactly this cut, stored or under way; nullptr if there is none.
  [[nodiscard]] ChunkPtr find(const PlannedChunk& cut) const;

  // The same, begun if there is none: then `second` is true, and one of send() or give_up() must follow. To be called
  // before the bytes are read, so that a change of them meanwhile is noticed.
  std::pair<ChunkPtr, bool> find_or_begin(const PlannedChunk& cut);
  // Stores the bytes, unless they are all zeros: those become a hole. `lease` covers ChunkWriter::lease_bytes().
  void send(const ChunkPtr& chunk, Buffer plain, MemoryBudget::Lease lease, ChunkWriter::Keep keep);
  void give_up(const ChunkPtr& chunk, Error why);

  [[nodiscard]] static const PlannedChunk& cut_of(const ChunkPtr& chunk);
  // Its bytes are what they were when it was begun.
  [[nodiscard]] bool is_current(const ChunkPtr& chunk) const;
  // As if it had been stored just now, if it has been.
  void tell_again(const ChunkPtr& chunk);

  [[nodiscard]] size_t under_way() const;
  [[nodiscard]] bool has_room() const { return under_way() < kMaxUnderWay; }
  // Waits until fewer than kMaxUnderWay are under way. Failures: cancelled, deadline_exceeded.
  Result<void> wait_for_room(const RequestContext& context) { return wait_for_fewer(kMaxUnderWay, context); }
  Result<void> wait_for_fewer(size_t chunks, const RequestContext& context);
  // Its outcome; nullopt for a hole. Failures: why it could not be stored, cancelled, deadline_exceeded.
  Result<std::optional<StoredChunk>> wait(const ChunkPtr& chunk, const RequestContext& context);

  // The bytes of [begin, end) have changed.
  void forget(uint64_t begin, uint64_t end);
  // A version lists them all: from now on they count as shared.
  void all_published();

 private:
  void finish(const ChunkPtr& chunk, Result<std::optional<StoredChunk>> outcome);

  StoreEnvironment& environment_;
  ChunkWriter& writer_;
  const Stored stored_;
  std::stop_source stop_;
  mutable Mutex mutex_;
  Condition changed_;
  std::map<uint64_t, ChunkPtr> chunks_ CAIRN_GUARDED_BY(mutex_);  // by offset, not overlapping with a change since
  size_t under_way_ CAIRN_GUARDED_BY(mutex_) = 0;
};

}  // namespace cairn
