// What may be asked for as one path component.
#pragma once

#include <string_view>

#include "base/result.h"

namespace cairn {

// The directory of old versions that every directory has and none lists.
inline constexpr std::string_view kVersionsName = ".versions";

// Failures: ENAMETOOLONG, EILSEQ (not UTF-8), EINVAL (empty, ".", "..", or with "/" or NUL).
Result<void> check_name(std::string_view name);

// A name that is to be made, removed or renamed: check_name, and EPERM for kVersionsName.
Result<void> check_changeable_name(std::string_view name);

}  // namespace cairn
