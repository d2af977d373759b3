// Text of protocols and configuration files, where only ASCII counts and no locale does.
#pragma once

#include <string>
#include <string_view>

namespace cairn {

// `text` without the white space around it.
std::string_view trimmed(std::string_view text);

std::string lower_case(std::string_view text);

}  // namespace cairn
