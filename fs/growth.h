// Whether a version is an earlier one with bytes appended.
#pragma once

#include "fs/file_bytes.h"

namespace cairn {

// Chunks are compared by their ids. Bytes are read, of both versions, only where those differ: in the chunk that was
// the last one and has grown. Versions that differ in more than two chunks of the earlier one are not looked into.
// Failures: those of FileReader.
Result<bool> only_grows(const ByteSources& sources, const VersionPtr& from, const VersionPtr& to,
                        const RequestContext& context);

}  // namespace cairn
