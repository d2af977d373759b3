// A draft's bytes as an ordinary local file.
#pragma once

#include <string>

#include "store/drafts/draft_bytes.h"

namespace cairn {

// `draft`: nobody writes to it. Writes a new file, sparse where the draft is, and makes it durable; after a failure
// there is none. Failures: already_exists (`path` does), no_space, io, permission_denied; those of DraftBytes::read.
Result<void> export_draft(const DraftBytes& draft, const std::string& path, const RequestContext& context);

}  // namespace cairn
