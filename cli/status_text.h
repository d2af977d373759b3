// A daemon's status for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace cairn {

// Of what mount_status() of the daemon answered, or of {"mountpoint", "store", "error"} where none did. Fields that are
// missing (an older daemon) count as 0.
std::string status_text(const nlohmann::json& status);

}  // namespace cairn
