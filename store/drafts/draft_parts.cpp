#include "store/drafts/draft_parts.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace cairn {

namespace {

// What storing a cut needs before its bytes are read.
struct Means {
  bool gathers = false;  // and has the turn for that
  Turn::Held turn;
  MemoryBudget::Lease lease;
};

// Reading from the store waits for memory while this thread holds the lease. Only one thread at a time may be in that
// position: the memory of all others comes back without their needing more, so its wait ends. The turn before the
// lease: else threads with leases would wait for the turn, and the one that has it for their memory.
Result<Means> means_for(const DraftParts& draft, const PlannedChunk& cut, const RequestContext& context) {
  for (bool remote = needs_store(draft, cut);; remote = true) {
    Means means;
    if (remote) {
      auto taken = draft.writer.gathering().take(context);
      if (!taken) return fail(std::move(taken).error());
      means.turn = std::move(*taken);
      means.gathers = true;
    }
    auto lease = draft.environment.memory.acquire(ChunkWriter::lease_bytes(cut.size), context);
    if (!lease) return fail(std::move(lease).error());
    means.lease = std::move(*lease);
    // Some of it may have been given back meanwhile.
    if (remote || !needs_store(draft, cut)) return means;
  }
}

Result<DraftChunks::ChunkPtr> store_with(const DraftParts& draft, const PlannedChunk& cut, uint64_t size_bytes,
                                         MemoryBudget::Lease lease, const RequestContext& context) {
  // Begun before the bytes are read: a write in between makes DraftChunks forget it, and the next seal reads anew.
  const auto [chunk, begun] = draft.chunks.find_or_begin(cut);
  if (!begun) return chunk;
  Buffer plain(cut.size);
  auto count = read_draft(draft.bytes, size_bytes, cut.offset, plain.mutable_view(), context);
  if (!count) {
    draft.chunks.give_up(chunk, count.error());
    return fail(std::move(count).error());
  }
  // What the staging file has of a large file becomes its image. The rest is kept here, to be read back.
  const bool is_for_image = size_bytes >= draft.environment.format.chunk_size && !needs_store(draft, cut);
  draft.chunks.send(chunk, std::move(plain), std::move(lease),
                    is_for_image ? ChunkWriter::Keep::there_alone : ChunkWriter::Keep::here);
  return chunk;
}

}  // namespace

bool needs_store(const DraftParts& draft, const PlannedChunk& cut) {
  const uint64_t end = cut.offset + cut.size;
  return draft.bytes.has_any(DraftLayout::Source::base, cut.offset, end) ||
         draft.bytes.has_any(DraftLayout::Source::sent, cut.offset, end);
}

Result<DraftChunks::ChunkPtr> store_cut(const DraftParts& draft, const PlannedChunk& cut, uint64_t size_bytes,
                                        const RequestContext& context) {
  if (auto room = draft.chunks.wait_for_room(context); !room) return fail(std::move(room).error());
  auto means = means_for(draft, cut, context);
  if (!means) return fail(std::move(means).error());
  std::optional<MemoryBudget::Ahead> ahead;
  if (means->gathers) ahead.emplace();
  return store_with(draft, cut, size_bytes, std::move(means->lease), context);
}

Result<size_t> read_draft(const DraftBytes& bytes, uint64_t size_bytes, uint64_t offset, MutableByteView out,
                          const RequestContext& context) {
  if (offset >= size_bytes) return 0;
  out = out.first(std::min<uint64_t>(out.size(), size_bytes - offset));
  auto count = bytes.read(offset, out, context);
  if (!count) return count;
  std::ranges::fill(out.subspan(*count), std::byte{0});
  return out.size();
}

}  // namespace cairn
