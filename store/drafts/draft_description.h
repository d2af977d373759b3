// A kept draft's description: what its staging file alone does not say.
#pragma once

#include <string>
#include <string_view>

#include "store/drafts/draft_layout.h"

namespace cairn {

struct DraftDescription {
  std::string store_id;  // the store that it belongs to; "": written by a version that did not say
  std::string identity;  // the caller's
  DraftLayout layout;
  VersionPtr base;    // nullptr: none
  uint32_t user = 0;  // StagingFile::user
};

// JSON, for this machine only: read by later versions of this program, not part of the store's format.
std::string describe_draft(const DraftDescription& description, uint32_t chunk_size);
// `chunk_size`: of the store, for descriptions that do not say. Failures: corrupt; unsupported (of a later version).
Result<DraftDescription> parse_draft(std::string_view json, uint32_t chunk_size);

}  // namespace cairn
