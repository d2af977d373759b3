#include "store/drafts/draft_spill.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/units.h"

namespace cairn {

DraftSpill::DraftSpill(const DraftParts& parts, DraftStream& stream, const StagingRoom::Place& place,
                       const RequestContext& context)
    : parts_(parts),
      stream_(stream),
      room_(parts.environment.staging.room()),
      place_(place),
      context_(context.with_cause(Cause::write_back)) {}

Result<void> DraftSpill::run() {
  const auto sent = send_staged();
  if (is_granted()) return {};
  if (context_.stop.stop_requested()) return fail(Errc::cancelled, "nobody waits for the write any more");
  if (!sent) return refuse("the store takes nothing: " + sent.error().to_string());
  if (!room_.has_others(parts_.bytes.staged_bytes()))
    return refuse("nothing of it can be sent before its file is closed");
  auto waited = room_.wait(place_, context_.stop, parts_.environment.options.operation_timeout);
  if (waited || waited.error().code() != Errc::no_space) return waited;
  return refuse(waited.error().message());
}

// Each step is given the whole time: what a store takes slowly it takes.
RequestContext DraftSpill::step() const {
  return RequestContext::within(parts_.environment.options.operation_timeout, Cause::write_back, context_.stop);
}

// All but the end of the file, which is another cut as soon as the file goes on.
Result<void> DraftSpill::send_staged() {
  const uint32_t chunk_size = parts_.environment.format.chunk_size;
  auto plan = stream_.plan_now(step());
  if (!plan) return fail(std::move(plan).error());
  std::vector<DraftChunks::ChunkPtr> sent;
  uint64_t at = 0;
  for (auto piece = parts_.bytes.staged_after(at); piece && !is_granted(); piece = parts_.bytes.staged_after(at)) {
    const uint64_t size_bytes = parts_.bytes.size_bytes();
    if (piece->offset >= size_bytes) break;
    const PlannedChunk cut = planned_chunk_at(*plan, size_bytes, chunk_size, piece->offset);
    at = cut.offset + cut.size;
    if (at == size_bytes && cut.size < chunk_size) break;
    if (at > plan->settled_bytes) {
      // Where the cuts may move, only what must be is sent: first let those that stay make room.
      if (auto done = parts_.chunks.wait_for_fewer(1, step()); !done) return done;
      if (is_granted()) return {};
    }
    auto chunk = send(cut, size_bytes);
    if (!chunk) return fail(std::move(chunk).error());
    sent.push_back(std::move(*chunk));
  }
  for (const DraftChunks::ChunkPtr& chunk : sent) {
    if (is_granted()) return {};
    if (auto done = parts_.chunks.wait(chunk, step()); !done) return fail(std::move(done).error());
  }
  return {};
}

Result<DraftChunks::ChunkPtr> DraftSpill::send(const PlannedChunk& cut, uint64_t size_bytes) {
  const auto chunk = parts_.chunks.find(cut);
  if (!chunk) return store_cut(parts_, cut, size_bytes, step());
  parts_.chunks.tell_again(chunk);
  return chunk;
}

// The disk itself may still have room that the staging area would rather not use.
Result<void> DraftSpill::refuse(const std::string& why) {
  auto granted = room_.insist(place_);
  if (granted || granted.error().posix() == EDQUOT) return granted;
  tell_of_shortage(room_, why);
  return fail(Errc::no_space, "no room in the staging area: {}", why);
}

void tell_of_shortage(StagingRoom& room, const std::string& why) {
  if (!room.is_news()) return;
  const StagingRoom::Bytes used = room.used();
  const std::string limit =
      room.limit_bytes() == 0 ? "its disk has no more" : human_bytes(room.limit_bytes()) + " are allowed";
  log::error(
      "no room to stage what is being written: {} are staged, {} of that in kept drafts, and {}; {}. A larger "
      "staging-size, a larger disk for cache.dir, or a decision about what `cairnfs kept` lists gives room",
      human_bytes(used.written + used.kept), human_bytes(used.kept), limit, why);
}

}  // namespace cairn
