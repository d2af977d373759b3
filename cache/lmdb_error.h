// LMDB's return codes as ours.
#pragma once

#include <string_view>

#include "base/error.h"

namespace cairn {

// no_space for a full map as for a full disk; corrupt for everything that says the file cannot be trusted.
Error error_from_lmdb(int code, std::string_view what);

}  // namespace cairn
