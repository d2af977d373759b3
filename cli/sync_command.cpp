#include "base/units.h"
#include "cli/command.h"
#include "cli/mount_client.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kAnswerTimeout{10};  // on top of what the daemon may wait

constexpr const char* kHelp =
    "Returns once everything that was closed, made, renamed or removed in the mount before is in the store. Matters "
    "with "
    "--commit async, where closes return before that; there it also says, once, what could not be published since it "
    "was closed. sync(1) does not reach a FUSE file system.\n\n"
    "Exit codes: 0 all is in the store; 1 it is not.\n\n"
    "Examples:\n"
    "  git clone https://example.com/code.git /mnt/models/code && cairnfs sync /mnt/models\n";

struct SyncOptions {
  std::string path;
  std::chrono::nanoseconds timeout{std::chrono::minutes(10)};
};

Result<int> sync(const SyncOptions& options, const Streams& streams) {
  const Result<MountPoint> mount = find_mount(options.path, streams);
  if (!mount) return fail(mount.error());
  const Json request = {{"op", "sync"}, {"timeout_ns", options.timeout.count()}};
  const Result<Json> done = call_mount(streams, mount->path, request, options.timeout + kAnswerTimeout);
  if (!done) return fail(done.error());
  return 0;
}

}  // namespace

void add_sync(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("sync", "Wait until what was closed is in the store");
  const auto options = std::make_shared<SyncOptions>();
  command->add_option("mountpoint", options->path, "A path in the mount")->required()->type_name("MOUNTPOINT");
  add_parsed_option(*command, "--timeout", options->timeout, parse_duration, "How long to wait [10m]")
      ->type_name("DURATION");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return sync(*options, streams); }; });
}

}  // namespace cairn
