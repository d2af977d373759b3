// `cairnfs check`: every invariant of docs/format.md, read from the store alone.
#pragma once

#include "remote/object_store.h"
#include "store/check/check_report.h"

namespace cairn {

// Walks all directories from the root. A concurrent writer causes no findings: an object that looks wrong is read
// again, and must be wrong in another walk too, before it is reported. Memory: about 64 bytes for each distinct chunk
// and 100 for each name and directory, and with read_data eight chunks. Failures: only those that keep it from looking
// at all (no store, no connection); damage is a finding.
Result<CheckReport> check_store(ObjectStore& objects, const CheckOptions& options, const RequestContext& context);

}  // namespace cairn
