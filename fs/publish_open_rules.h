// Which open files are published before they are closed, and how often.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cairn {

struct PublishOpenRules {
  std::vector<std::string> patterns{};                       // of names, as a shell has them; none: no file is
  std::chrono::nanoseconds after{std::chrono::seconds(30)};  // a change is published, at the latest

  // "*.log, *.jsonl": patterns apart by commas, colons or blanks. Failures: invalid_argument: one that no name matches.
  static Result<std::vector<std::string>> parse_patterns(std::string_view text);
  [[nodiscard]] bool matches(const std::string& name) const;
};

}  // namespace cairn
