#include "remote/s3/s3_parameters.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "remote/http/percent_encoding.h"

namespace cairn {

namespace {

constexpr std::array<std::string_view, 12> kNames = {
    "endpoint", "region", "style",          "profile",        "anonymous",     "insecure",
    "ca",       "sse",    "sse-kms-key-id", "sse-bucket-key", "storage-class", "requester-pays"};

bool is_control(char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }

}  // namespace

Result<S3Parameters> parse_s3_parameters(std::string_view query) {
  S3Parameters parameters;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return fail(Errc::invalid_argument, "parameters are name=value");
    const std::string name(pair.substr(0, equals));
    if (std::ranges::find(kNames, name) == kNames.end()) {
      return fail(Errc::invalid_argument, "no parameter '{}'; there are: {}", name, fmt::join(kNames, ", "));
    }
    auto value = percent_decode(pair.substr(equals + 1));
    if (!value) return fail(Errc::invalid_argument, "{}: two hexadecimal digits must follow '%', as in %2F", name);
    if (std::ranges::any_of(*value, is_control)) {
      return fail(Errc::invalid_argument, "{}: it holds a line feed or another control character", name);
    }
    if (!parameters.emplace(name, std::move(*value)).second) {
      return fail(Errc::invalid_argument, "'{}' is given twice", name);
    }
  }
  return parameters;
}

Result<std::string> parse_choice(const S3Parameters& parameters, std::string_view name,
                                 std::span<const std::string_view> allowed) {
  const auto given = parameters.find(name);
  if (given == parameters.end()) return std::string();
  if (std::ranges::find(allowed, given->second) != allowed.end()) return given->second;
  return fail(Errc::invalid_argument, "{}: not '{}'; there are: {}", name, given->second, fmt::join(allowed, ", "));
}

Result<bool> parse_truth(const S3Parameters& parameters, std::string_view name) {
  const auto given = parameters.find(name);
  if (given == parameters.end() || given->second == "false") return false;
  if (given->second == "true") return true;
  return fail(Errc::invalid_argument, "{}: true or false, not '{}'", name, given->second);
}

}  // namespace cairn
