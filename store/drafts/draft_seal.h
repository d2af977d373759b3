// From a draft's bytes to content in the store.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "store/drafts/draft_parts.h"
#include "store/format/entry.h"
#include "store/segments/segment_plan.h"

namespace cairn {

// One sealing of one draft: plan the cuts, take over the chunks that are stored already, store the others, put the
// manifest. It looks only at stretches with data, so holes of any size cost nothing.
// Thread-safety: none; lives for one call.
// Ownership: borrows everything.
class DraftSeal {
 public:
  DraftSeal(const DraftParts& parts, const RequestContext& context);

  // Failures: those of DraftBytes::read, ChunkWriter and ObjectStore::put_if_absent.
  Result<StoredContent> run();

 private:
  // Where a chunk of the new version comes from: the base or an earlier process's sending, unchanged; or stored for
  // this draft; or still to be read.
  struct Unread {};
  struct Slot {
    PlannedChunk cut;
    std::variant<ChunkRef, DraftChunks::ChunkPtr, Unread> from;
    bool tried = false;  // this sealing has stored it, or tried to
  };

  [[nodiscard]] bool is_base() const;
  [[nodiscard]] StoredContent content_of_base() const;
  Result<StoredContent> seal_inline();
  Result<StoredContent> seal_chunks();
  Result<size_t> read(uint64_t offset, MutableByteView out) const;

  void list_slots(const SegmentPlan& plan);
  [[nodiscard]] const ChunkRef* unchanged(const PlannedChunk& cut) const;

  Result<void> store_unread();
  void start_base_fetches(size_t from);
  Result<void> store(Slot& slot);

  Result<std::optional<StoredChunk>> outcome_of(Slot& slot);
  Result<StoredContent> collect();
  Result<Content> list_in_store(Manifest manifest);

  const DraftParts parts_;
  const RequestContext context_;
  const DraftLayout layout_;  // as it was when the sealing began
  std::vector<Slot> slots_;
};

}  // namespace cairn
