// What sending a draft's bytes works with, and the sending of one cut.
#pragma once

#include "store/chunks/chunk_reader.h"
#include "store/chunks/chunk_writer.h"
#include "store/drafts/draft_bytes.h"
#include "store/drafts/draft_chunks.h"

namespace cairn {

// Borrowed; of one draft.
struct DraftParts {
  StoreEnvironment& environment;
  ChunkReader& reader;
  ChunkWriter& writer;
  DraftBytes& bytes;
  DraftChunks& chunks;
};

// Part of these bytes is not on this machine.
bool needs_store(const DraftParts& draft, const PlannedChunk& cut);

// The cut's chunk, which is stored or on its way. What lies past `size_bytes`, or was cut off meanwhile, is zeros: the
// draft is then dirty again. Waits for its turn and for memory. Failures: cancelled, deadline_exceeded, those of
// DraftBytes::read.
Result<DraftChunks::ChunkPtr> store_cut(const DraftParts& draft, const PlannedChunk& cut, uint64_t size_bytes,
                                        const RequestContext& context);

// As DraftBytes::read, but of a draft of `size_bytes`: what a truncate has cut off meanwhile is zeros.
Result<size_t> read_draft(const DraftBytes& bytes, uint64_t size_bytes, uint64_t offset, MutableByteView out,
                          const RequestContext& context);

}  // namespace cairn
