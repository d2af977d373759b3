// The program `cairnfs`, as a function that a test can call.
#pragma once

#include <CLI/App.hpp>
#include <memory>
#include <span>
#include <string>

#include "cli/command.h"

namespace cairn {

// `args` without the program's name. Returns the exit code: 0, 1 (it failed), 2 (the command line or the configuration
// is wrong), others as `cairnfs COMMAND --help` says. `mount` without -f forks: a test has no business calling it.
int run_cli(std::span<const std::string> args, const Streams& streams);

// The whole command line, not yet parsed: what run_cli uses, and what the manual is checked against.
std::unique_ptr<CLI::App> make_app(const Streams& streams, Action& chosen);

}  // namespace cairn
