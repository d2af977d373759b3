// Text in URLs (RFC 3986), in the one way that signatures allow.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cairn {

// "a b/c" -> "a%20b%2Fc": every byte but A-Z a-z 0-9 - . _ ~ and, if wanted, "/".
std::string percent_encode(std::string_view text, bool keep_slashes);

// And back, digits in either case. nullopt: a "%" that two hexadecimal digits do not follow.
std::optional<std::string> percent_decode(std::string_view text);

using QueryParameters = std::vector<std::pair<std::string, std::string>>;  // not encoded

// "a=1&b=x%20y": sorted and encoded as the signature has it, so that the URL can be written the same.
std::string canonical_query(const QueryParameters& query);

}  // namespace cairn
