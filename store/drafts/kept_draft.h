// What earlier processes left of drafts in the staging area.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/staging_area.h"
#include "store/chunks/chunk_writer.h"
#include "store/drafts/draft_description.h"
#include "store/environment.h"

namespace cairn {

class Draft;

// A draft at rest. It stays on the disk until its staging file is released, here or through the Draft made of it.
struct KeptDraft {
  uint64_t number = 0;
  bool is_kept = true;  // false: never closed; it was being written when its process ended
  DraftDescription description;
  std::unique_ptr<StagingFile> staging;  // nullptr once a Draft has been made of it

  // Some of its bytes are those of the version it was written on.
  [[nodiscard]] bool needs_base() const;
  // Some of its bytes are in the store only: those, or what was sent while it was written.
  [[nodiscard]] bool needs_store() const;
};

// Called once, at start; asks nothing of the store. Drafts of other stores are among them. One whose description does
// not check stays where it is and is logged. Failures: those of StagingArea::take_kept.
Result<std::vector<KeptDraft>> take_kept_drafts(StagingArea& staging, uint32_t chunk_size);

// The draft, dirty, with the version under it opened. Failures: those of FileReader::open; `kept` is as before then.
Result<std::unique_ptr<Draft>> open_kept_draft(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                                               KeptDraft& kept, const RequestContext& context);

}  // namespace cairn
