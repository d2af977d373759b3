// A daemon's status for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cairn {

// `status`: the daemon's answer to {"op": "status"}, or {"mountpoint", "store", "error"} of a mount whose daemon gave
// none. Fields that are missing (an older daemon) count as 0.
std::string status_text(const nlohmann::json& status);

}  // namespace cairn
