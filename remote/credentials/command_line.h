// Other people's programs, run for what they print.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/request_context.h"
#include "base/result.h"

namespace cairn {

// A command line, taken apart as a shell would, without anything else that a shell does: words are separated by blanks;
// '…' is taken as it stands; in "…" a backslash keeps a following '"' or '\'; elsewhere it keeps any character. No
// variables, no "~", no patterns. Failures: invalid_argument: a quote without its end, no word at all.
Result<std::vector<std::string>> split_command(std::string_view line);

// Runs a program, sought in PATH unless its name has a "/", and gives what it prints. It gets our environment, nothing
// to read, and no other descriptor of ours; what it says on stderr may hold secrets and goes nowhere. It is ended, with
// all that it has started, when it takes longer than `timeout` or `context` allows, or prints more than `most_bytes`.
// Failures: invalid_argument (there is no such program), permission_denied (its exit status is not 0), corrupt (too
// much), unavailable (longer than `timeout`), deadline_exceeded and cancelled as `context` says.
Result<std::string> run_command(const std::vector<std::string>& words, size_t most_bytes,
                                std::chrono::milliseconds timeout, const RequestContext& context);

}  // namespace cairn
