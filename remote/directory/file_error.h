// What this machine's file calls report, with what the engineer can do about it.
#pragma once

#include <string_view>

#include "base/result.h"

namespace cairn {

// error_from_errno with advice where there is any: "put dirs/1/f0: No space left on device: free some space, …".
Error file_error(int errno_value, std::string_view what);

}  // namespace cairn
