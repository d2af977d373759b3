// What daemons and stores say, fit for a terminal.
#pragma once

#include <nlohmann/json.hpp>

namespace cairn {

// `json` with every text in it as printable() of base/ascii.h shows it: names in it may be anybody's.
nlohmann::json printable(nlohmann::json json);

}  // namespace cairn
