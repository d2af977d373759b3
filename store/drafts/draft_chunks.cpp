#include "store/drafts/draft_chunks.h"

#include <utility>

#include "base/mutex.h"
#include "base/work_slots.h"
#include "store/chunks/leased_buffer.h"

namespace cairn {

namespace {

bool all_zeros(ByteView bytes) {
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

struct DraftChunks::Chunk {
  explicit Chunk(const PlannedChunk& planned) : cut(planned) {}
  const PlannedChunk cut;
  std::optional<Result<std::optional<StoredChunk>>> outcome;  // under DraftChunks::mutex_
};

DraftChunks::~DraftChunks() {
  stop_.request_stop();
  const WithoutSlot waiting;
  MutexLock lock(mutex_);
  changed_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return under_way_ == 0; });
}

DraftChunks::ChunkPtr DraftChunks::find(const PlannedChunk& cut) const {
  const MutexLock lock(mutex_);
  const auto found = chunks_.find(cut.offset);
  return found != chunks_.end() && found->second->cut == cut ? found->second : nullptr;
}

std::pair<DraftChunks::ChunkPtr, bool> DraftChunks::find_or_begin(const PlannedChunk& cut) {
  const MutexLock lock(mutex_);
  ChunkPtr& place = chunks_[cut.offset];
  if (place && place->cut == cut) return {place, false};
  place = std::make_shared<Chunk>(cut);
  ++under_way_;
  return {place, true};
}

void DraftChunks::send(const ChunkPtr& chunk, Buffer plain, MemoryBudget::Lease lease, ChunkWriter::Keep keep) {
  if (all_zeros(plain.view())) return finish(chunk, std::nullopt);
  writer_.store(
      chunk->cut.offset, std::make_shared<const Buffer>(std::move(plain)), std::move(lease),
      {SteadyTime::max(), stop_.get_token(), Cause::write_back},
      [this, chunk](Result<StoredChunk> stored) { finish(chunk, std::move(stored)); }, keep);
}

void DraftChunks::give_up(const ChunkPtr& chunk, Error why) { finish(chunk, fail(std::move(why))); }

const PlannedChunk& DraftChunks::cut_of(const ChunkPtr& chunk) { return chunk->cut; }

bool DraftChunks::is_current(const ChunkPtr& chunk) const {
  const MutexLock lock(mutex_);
  const auto found = chunks_.find(chunk->cut.offset);
  return found != chunks_.end() && found->second == chunk;
}

void DraftChunks::tell_again(const ChunkPtr& chunk) {
  std::optional<StoredChunk> stored;
  {
    const MutexLock lock(mutex_);
    if (!chunk->outcome || !*chunk->outcome) return;
    stored = **chunk->outcome;
  }
  stored_(chunk, stored ? std::optional(stored->ref) : std::nullopt);
}

size_t DraftChunks::under_way() const {
  const MutexLock lock(mutex_);
  return under_way_;
}

Result<void> DraftChunks::wait_for_fewer(size_t chunks, const RequestContext& context) {
  const WithoutSlot waiting;
  MutexLock lock(mutex_);
  return changed_.wait(lock, context, [&]() CAIRN_REQUIRES(mutex_) { return under_way_ < chunks; });
}

Result<std::optional<StoredChunk>> DraftChunks::wait(const ChunkPtr& chunk, const RequestContext& context) {
  const WithoutSlot waiting;
  MutexLock lock(mutex_);
  auto done = changed_.wait(lock, context, [&chunk] { return chunk->outcome.has_value(); });
  if (!done) return fail(std::move(done).error());
  return *chunk->outcome;
}

void DraftChunks::forget(uint64_t begin, uint64_t end) {
  const MutexLock lock(mutex_);
  auto at = chunks_.lower_bound(begin);
  // Cuts of different plans may overlap each other, but none is longer than a chunk.
  const uint64_t chunk_size = environment_.format.chunk_size;
  while (at != chunks_.begin() && std::prev(at)->first + chunk_size > begin) --at;
  while (at != chunks_.end() && at->first < end) {
    const PlannedChunk& cut = at->second->cut;
    at = cut.offset + cut.size > begin ? chunks_.erase(at) : std::next(at);
  }
}

void DraftChunks::all_published() {
  const MutexLock lock(mutex_);
  for (const auto& [offset, chunk] : chunks_) {
    if (!chunk->outcome || !*chunk->outcome || !**chunk->outcome) continue;
    StoredChunk& stored = ***chunk->outcome;
    stored.was_new = false;
    stored.stored_bytes = 0;
  }
}

// It counts as under way until the last use of this object here.
void DraftChunks::finish(const ChunkPtr& chunk, Result<std::optional<StoredChunk>> outcome) {
  if (outcome) stored_(chunk, *outcome ? std::optional((*outcome)->ref) : std::nullopt);
  const MutexLock lock(mutex_);
  if (!outcome) {
    const auto found = chunks_.find(chunk->cut.offset);
    if (found != chunks_.end() && found->second == chunk) chunks_.erase(found);
  }
  chunk->outcome = std::move(outcome);
  --under_way_;
  changed_.notify_all();
}

}  // namespace cairn
