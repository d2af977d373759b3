#include "fs/publish_open_rules.h"

#include <fnmatch.h>

#include <algorithm>

namespace cairn {

Result<std::vector<std::string>> PublishOpenRules::parse_patterns(std::string_view text) {
  constexpr std::string_view kBetween = ",: \t";
  std::vector<std::string> patterns;
  for (size_t at = text.find_first_not_of(kBetween); at != text.npos; at = text.find_first_not_of(kBetween, at)) {
    const size_t end = std::min(text.find_first_of(kBetween, at), text.size());
    patterns.emplace_back(text.substr(at, end - at));
    if (patterns.back().find('/') != std::string::npos) {
      return fail(Errc::invalid_argument, "'{}': patterns are of a file's name, without directories", patterns.back());
    }
    at = end;
  }
  return patterns;
}

bool PublishOpenRules::matches(const std::string& name) const {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0; });
}

}  // namespace cairn
