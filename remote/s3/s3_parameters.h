// The parameters of an "s3://" URL: what follows its "?".
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cairn {

using S3Parameters = std::map<std::string, std::string, std::less<>>;  // percent-decoded

// "region=eu&style=path". Failures: invalid_argument: one that is malformed, unknown, given twice, or holds a control
// character: much of this ends up in headers and messages.
Result<S3Parameters> parse_s3_parameters(std::string_view query);

// The value of `name`, which must be one of `allowed`; empty if it is not given.
Result<std::string> parse_choice(const S3Parameters& parameters, std::string_view name,
                                 std::span<const std::string_view> allowed);

// Of `name`, true or false; false if it is not given.
Result<bool> parse_truth(const S3Parameters& parameters, std::string_view name);

}  // namespace cairn
