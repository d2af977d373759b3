#include "cli/run.h"

#include <CLI/Error.hpp>
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/units.h"
#include "base/version.h"

namespace cairn {

namespace {

constexpr std::array<AddCommand, 9> kCommands = {add_init, add_mount,    add_umount, add_status, add_sync,
                                                 add_log,  add_prefetch, add_kept,   add_check};

constexpr const char* kExamples =
    "Examples:\n"
    "  cairnfs init dir:/srv/models                 make a store, once\n"
    "  cairnfs mount dir:/srv/models /mnt/models    use it as ordinary files\n"
    "  cairnfs status                               what the daemons of this host are doing\n"
    "  cairnfs umount /mnt/models                   publish what is pending, and go\n"
    "\n"
    "`cairnfs COMMAND --help` explains each command, `man cairnfs` everything.";

// "mount: " once a subcommand is known.
std::string prefix_of(const CLI::App& app) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  return chosen.empty() ? "cairnfs: " : "cairnfs: " + chosen.front()->get_name() + ": ";
}

int explain_bad_usage(const CLI::App& app, const CLI::ParseError& error, const Streams& streams) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "cairnfs" : "cairnfs " + chosen.front()->get_name();
  streams.err << prefix_of(app) << error.what() << "\nTry `" << command << " --help`.\n";
  return 2;
}

// CLI11 would only say that a command is missing.
std::optional<std::string> unknown_command(const CLI::App& app, std::span<const std::string> args) {
  if (args.empty() || args.front().starts_with('-')) return std::nullopt;
  std::vector<std::string> known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    known.push_back(command->get_name());
  }
  if (std::find(known.begin(), known.end(), args.front()) != known.end()) return std::nullopt;
  const std::string meant = nearest(args.front(), known);
  return fmt::format("there is no command '{}'{}", args.front(),
                     meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant));
}

}  // namespace

std::unique_ptr<CLI::App> make_app(const Streams& streams, Action& chosen) {
  auto app = std::make_unique<CLI::App>("A store of model checkpoints, as ordinary files.", "cairnfs");
  app->set_version_flag("--version", std::string("cairnfs ") + kVersion, "Print the version and end");
  app->get_formatter()->column_width(32);
  app->footer(kExamples);
  app->require_subcommand(1);
  for (const AddCommand add : kCommands) add(*app, streams, chosen);
  return app;
}

int run_cli(std::span<const std::string> args, const Streams& streams) {
  Action chosen;
  const std::unique_ptr<CLI::App> app = make_app(streams, chosen);
  if (const auto complaint = unknown_command(*app, args)) {
    streams.err << "cairnfs: " << *complaint << "\nTry `cairnfs --help`.\n";
    return 2;
  }
  try {
    app->parse(std::vector<std::string>(args.rbegin(), args.rend()));  // CLI11 takes them from the back
  } catch (const CLI::Success& wanted) {
    // --help and --version: app->exit() knows which.
    return app->exit(wanted, streams.out, streams.err);
  } catch (const CLI::ParseError& error) {
    return explain_bad_usage(*app, error, streams);
  }
  const Result<int> done = chosen();
  if (done) return *done;
  streams.err << prefix_of(*app) << printable(done.error().message()) << "\n";
  return done.error().code() == Errc::invalid_argument ? 2 : 1;
}

}  // namespace cairn
