// `cairn.format`: the first object of a store, and what makes a URL a store.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"
#include "remote/object_store.h"

namespace cairn {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint32_t kDefaultChunkSize = 4U << 20;

// Fixed at init; JSON in the store, so that any version of any tool can read it.
struct StoreFormat {
  uint32_t format = kFormatVersion;
  std::string store_id;                           // 32 hex digits, random
  uint32_t chunk_size = kDefaultChunkSize;        // power of two, 64 KiB … 4 MiB
  uint32_t keep_versions = 64;                    // of one name
  uint64_t keep_deleted_seconds = 30ULL * 86400;  // how long a deleted name's history stays listed

  [[nodiscard]] std::string to_json() const;
  // Failures: corrupt; unsupported for a newer format, saying which version of cairnfs to look for.
  static Result<StoreFormat> from_json(std::string_view json);
};

// Writes the root directory's first record, then cairn.format: a store exists once that does.
// Failures: already_exists if `objects` holds a store; invalid_argument for sizes out of range; those of ObjectStore.
Result<StoreFormat> init_store(ObjectStore& objects, StoreFormat wanted, const Clock& clock, Random& random,
                               const RequestContext& context);

// Failures: not_found ("… is no CairnFS store: make one with `cairnfs init`"), corrupt, unsupported.
Result<StoreFormat> open_store_format(ObjectStore& objects, const RequestContext& context);

}  // namespace cairn
