// Whether a store of objects keeps the promise that everything rests on.
#pragma once

#include "base/random.h"
#include "remote/object_store.h"

namespace cairn {

// Puts a few small objects under "probes/", each several times, one after the other and at once, and removes them
// again. A store that tells two writers of one key that both were first, or shows the bytes of one that was not, would
// lose commits: some S3-style endpoints ignore `If-None-Match`, some network file systems break O_EXCL.
// Failures: unsupported: the promise does not hold (and what can be done); those of ObjectStore, permission_denied and
//   read_only among them. That the objects cannot be removed afterwards is none.
Result<void> prove_atomic_create(ObjectStore& objects, Random& random, const RequestContext& context);

}  // namespace cairn
