// One subcommand: its flags, its help, and what it does. Each has a source file named after it.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <string>

#include "base/result.h"
#include "cli/streams.h"

namespace cairn {

// What the chosen subcommand will do, once the whole command line is understood. The result is the exit code; an error
// is printed and becomes one: 2 for invalid_argument, 1 for everything else.
using Action = std::function<Result<int>()>;

// Adds the subcommand to `app`; when it is parsed, `chosen` becomes its action. `streams` outlives the action.
using AddCommand = void (*)(CLI::App& app, const Streams& streams, Action& chosen);

void add_init(CLI::App& app, const Streams& streams, Action& chosen);
void add_mount(CLI::App& app, const Streams& streams, Action& chosen);
void add_umount(CLI::App& app, const Streams& streams, Action& chosen);
void add_status(CLI::App& app, const Streams& streams, Action& chosen);
void add_sync(CLI::App& app, const Streams& streams, Action& chosen);
void add_log(CLI::App& app, const Streams& streams, Action& chosen);
void add_prefetch(CLI::App& app, const Streams& streams, Action& chosen);
void add_kept(CLI::App& app, const Streams& streams, Action& chosen);
void add_check(CLI::App& app, const Streams& streams, Action& chosen);

// "--NAME VALUE" whose text goes through `parse` (Result<T> from a string) into `into`; a bad one is a usage error.
template <class T, class Parse>
CLI::Option* add_parsed_option(CLI::App& command, const std::string& name, T& into, Parse parse,
                               const std::string& help) {
  const auto assign = [&into, parse](const std::string& text) {
    const Result<T> value = parse(text);
    if (!value) throw CLI::ValidationError(value.error().message());
    into = *value;
  };
  return command.add_option_function<std::string>(name, assign, help);
}

// Exit codes that mean something beyond success, failure and bad usage.
inline constexpr int kExitFindings = 1;   // check: the store has damage
inline constexpr int kExitUnchecked = 3;  // check: the store could not be looked at

}  // namespace cairn
