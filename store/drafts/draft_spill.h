// Room for a write where there is none: staged bytes of its draft go to the store, and out of the staging file.
#pragma once

#include <string>

#include "cache/staging_area.h"
#include "store/drafts/draft_parts.h"
#include "store/drafts/draft_stream.h"

namespace cairn {

// One wait of one writer. It sends what is staged, from the start of the file on, until its place in the queue is
// granted; once nothing of its own is left, it waits for what others give back. It goes on for as long as the store
// takes anything, however slowly.
//
// The cuts are those that the draft is going to be sealed by, as far as they are known. Of a file that is not written
// from the start on they may turn out to be others: then the seal reads these bytes from the store again.
//
// Thread-safety: none; lives for one call. Holds no lock.
// Ownership: borrows everything.
class DraftSpill {
 public:
  DraftSpill(const DraftParts& parts, DraftStream& stream, const StagingRoom::Place& place,
             const RequestContext& context);

  // Failures: no_space (the store took nothing, or others gave nothing back, for StoreOptions::operation_timeout; the
  // log says what to do), cancelled.
  Result<void> run();

 private:
  Result<void> send_staged();
  Result<DraftChunks::ChunkPtr> send(const PlannedChunk& cut, uint64_t size_bytes);
  Result<void> refuse(const std::string& why);
  [[nodiscard]] RequestContext step() const;
  [[nodiscard]] bool is_granted() const { return room_.is_granted(place_); }

  const DraftParts parts_;
  DraftStream& stream_;
  StagingRoom& room_;
  const StagingRoom::Place& place_;
  const RequestContext context_;
};

// Says in the log that nothing more can be staged, and what to do; once, until there was room again.
void tell_of_shortage(StagingRoom& room, const std::string& why);

}  // namespace cairn
