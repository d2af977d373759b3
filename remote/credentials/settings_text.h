// Text that people and orchestrators leave for us: values with stray white space, and small files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

// Whether a value can stand in an HTTP header or URL as it is: visible ASCII, no space. An empty one can.
bool is_visible_ascii(std::string_view text);

// The whole file; nullopt: there is none. Never waits, as opening a pipe would.
// Failures: invalid_argument (no regular file, or more than 1 MiB), permission_denied, io.
Result<std::optional<std::string>> load_settings_file(const std::string& path);

}  // namespace cairn
