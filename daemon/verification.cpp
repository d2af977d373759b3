#include "daemon/verification.h"

#include <fmt/format.h>

namespace cairn {

namespace {

enum Care : uint32_t { kChecksumAlways, kDigestWhereNeeded, kDigestAlways };

}  // namespace

Verification choose_verification(std::string_view setting, const ObjectWay& way) {
  if (setting == "digest") return {true, kDigestAlways, "verify=digest"};
  if (setting == "checksum") return {false, kChecksumAlways, "verify=checksum"};
  const std::string_view trust = way.is_authenticated ? "nobody on the way can change bytes" : "anybody on the way can";
  return {!way.is_authenticated, kDigestWhereNeeded, fmt::format("the store is reached by {}: {}", way.what, trust)};
}

}  // namespace cairn
