// `cairnfs check`: every invariant of docs/format.md, read from the store alone.
#pragma once

#include "remote/object_store.h"
#include "store/check/check_report.h"

namespace cairn {

// Walks all directories from the root. A concurrent writer causes no findings: an object that looks wrong is read
// again, and must be wrong in another walk too, before it is reported.
//
// Memory: CheckOptions::memory_bytes, and with read_data eight chunks. A quarter of it is the most that the records of
// one directory, or one manifest, may take while they are read; what takes more is a finding. Half of it is for what is
// remembered: about 130 bytes for each distinct chunk, 150 for each name, and paths. A store that needs more is not
// checked.
// Failures: no_space (that), and those that keep it from looking at all (no store, no connection); damage is a finding.
Result<CheckReport> check_store(ObjectStore& objects, const CheckOptions& options, const RequestContext& context);

}  // namespace cairn
