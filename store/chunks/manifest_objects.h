// Manifest objects, through the local cache, so that a file whose chunks are cached can be opened without the store.
#pragma once

#include "store/environment.h"
#include "store/format/manifest.h"

namespace cairn {

// Failures: not_found, corrupt (from the store; a damaged cached copy is only a miss), those of ObjectStore.
Result<ManifestPtr> fetch_manifest(StoreEnvironment& environment, const Digest& id, const RequestContext& context);

// Durable in the store when it returns; the id names it. Failures: those of ObjectStore.
Result<Digest> put_manifest(StoreEnvironment& environment, const Manifest& manifest, const RequestContext& context);

}  // namespace cairn
