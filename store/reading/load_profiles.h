// Load profiles in the store: the order in which an earlier host has read a version.
#pragma once

#include "store/environment.h"
#include "store/format/load_profile.h"

namespace cairn {

// Of smaller files no profile is asked for, and none left: they are there before it would be.
inline constexpr uint64_t kLeastProfiledBytes = 64ULL << 20;

// The profile of the version with manifest `id` and so many chunks; one request.
// Failures: not_found; corrupt, which is nobody's loss; those of ObjectStore.
Result<LoadOrder> fetch_load_profile(StoreEnvironment& environment, const Digest& id, size_t chunks,
                                     const RequestContext& context);

// Leaves a profile for others, unless somebody else has. Failures: no_space; those of ObjectStore.
Result<void> put_load_profile(StoreEnvironment& environment, const Digest& id, const LoadOrder& order,
                              const RequestContext& context);

}  // namespace cairn
