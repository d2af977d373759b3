#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "base/paths.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/config_file.h"
#include "cli/mount_client.h"
#include "cli/mount_options.h"
#include "cli/remount.h"
#include "cli/unmount.h"
#include "daemon/background.h"
#include "daemon/daemon.h"
#include "daemon/local_paths.h"

namespace cairn {

namespace {

constexpr const char* kHelp =
    "Returns when the mount answers, and leaves a daemon behind that serves it; or says why not, and leaves "
    "nothing.\n\n"
    "Every flag from --cache-dir on is also a key of the configuration file (--cache-dir: dir in [cache]) and an "
    "option "
    "after -o (cache.dir=… or cache-dir=…). A flag goes before -o, which goes before the file given with --config or "
    "$CAIRNFS_CONFIG, or else ~/.config/cairnfs/cairnfs.toml and /etc/cairnfs/cairnfs.toml.\n\n"
    "Examples:\n"
    "  cairnfs mount dir:/srv/models /mnt/models\n"
    "  cairnfs mount dir:/srv/models /mnt/models --cache-dir /nvme/cairn --cache-size 200GiB\n"
    "  mount -t fuse.cairnfs -o ro,cache.size=10% dir:/srv/models /mnt/models\n";

// Beyond mount-timeout, for the daemon to say why it did not come up.
constexpr std::chrono::seconds kStartGrace{10};

struct MountArguments {
  std::string store;
  std::string mountpoint;
  std::vector<std::string> options;  // each after one -o
  std::string config;
  bool foreground = false;
  std::vector<std::pair<const Setting*, std::string>> flags;
};

// The settings from all their sources, the most specific last.
Result<Settings> gather_settings(const MountArguments& arguments, const Streams& streams, MountOptions& options) {
  Settings settings;
  Settings probe;  // only to learn which file -o names, before that file is read
  for (const std::string& text : arguments.options) {
    const Result<void> applied = apply_mount_options(text, probe, options);
    if (!applied) return fail(applied.error());
  }
  const std::string& named = arguments.config.empty() ? options.config_file : arguments.config;
  for (const std::string& file : config_files(named, streams.host)) {
    const Result<void> read = read_config_file(file, settings);
    if (!read) return fail(read.error());
  }
  options = {};
  for (const std::string& text : arguments.options) {
    const Result<void> applied = apply_mount_options(text, settings, options);
    if (!applied) return fail(applied.error());
  }
  for (const auto& [setting, text] : arguments.flags) {
    const Result<void> assigned = assign(settings, *setting, text);
    if (!assigned) return fail(Error(Errc::invalid_argument, "--" + assigned.error().message()));
  }
  return settings;
}

// A mount whose daemon has died is in the way of a new one.
void clear_dead_mount(const std::string& mountpoint, const Streams& streams) {
  if (!mount_at(cairnfs_mounts(streams.host), mountpoint)) return;
  if (probe_mount(mountpoint, std::chrono::seconds(2)) != MountHealth::dead) return;
  if (!unmount(mountpoint, UnmountMode::lazy, streams.host.superuser)) return;
  streams.err << "cairnfs: mount: cleared the mount that a dead daemon left at " << mountpoint << "\n";
}

// Symbolic links resolved, so that one mountpoint has one name. A mount that is there already is not touched: it may
// hang.
std::string resolved(const std::string& mountpoint, const Streams& streams) {
  if (mountpoint.starts_with("/dev/fd/") || mount_at(cairnfs_mounts(streams.host), mountpoint)) return mountpoint;
  std::error_code unresolved;
  const std::filesystem::path canonical = std::filesystem::canonical(mountpoint, unresolved);
  return unresolved ? mountpoint : canonical.string();
}

Result<MountRequest> gather_request(const MountArguments& arguments, const Streams& streams) {
  MountOptions options;
  Result<Settings> settings = gather_settings(arguments, streams, options);
  if (!settings) return fail(settings.error());
  const std::string mountpoint = absolute_path(arguments.mountpoint, streams.host.directory);
  clear_dead_mount(mountpoint, streams);
  return MountRequest{.store = arguments.store,
                      .mountpoint = resolved(mountpoint, streams),
                      .settings = std::move(*settings),
                      .kernel_options = std::move(options.kernel),
                      .allow_nonempty = options.nonempty,
                      .follow_symlinks = options.follow_symlinks,
                      .ownership = options.ownership,
                      .foreground = arguments.foreground};
}

std::string announcement(const MountPlan& plan) {
  return fmt::format("{} is mounted on {}{} (pid {}, cache in {})", plan.session.source, plan.session.mountpoint,
                     plan.session.read_only ? " read-only" : "", ::getpid(), plan.cache_dir);
}

// The daemon's words when it runs in front.
class OwnTerminal final : public MountWatcher {
 public:
  explicit OwnTerminal(const Streams& streams) : streams_(streams) {}
  void notice(const std::string& text) override { streams_.err << "cairnfs: mount: " << text << std::endl; }
  void planned(const MountPlan& /*plan*/) override {}
  void ready(const MountPlan& plan) override { streams_.out << announcement(plan) << std::endl; }

 private:
  const Streams& streams_;
};

// Its words on their way to the parent, which has the terminal.
class ParentsTerminal final : public MountWatcher {
 public:
  explicit ParentsTerminal(BackgroundChild& child) : child_(child) {}
  void notice(const std::string& text) override { child_.notice(text); }
  void planned(const MountPlan& plan) override { child_.log_to(plan.log_file); }
  void ready(const MountPlan& plan) override { child_.ready(announcement(plan)); }

 private:
  BackgroundChild& child_;
};

Result<int> mount_in_front(const MountRequest& request, const Streams& streams) {
  OwnTerminal terminal(streams);
  const Result<void> served = serve_mount(request, streams.host, terminal);
  if (!served) return fail(served.error());
  return 0;
}

Result<BackgroundProcess> start_daemon(const MountRequest& request, const Streams& streams) {
  streams.out << std::flush;
  const auto work = [&](BackgroundChild& child) {
    ParentsTerminal terminal(child);
    return serve_mount(request, streams.host, terminal);
  };
  const auto on_notice = [&streams](const std::string& text) {
    streams.err << "cairnfs: mount: " << text << std::endl;
  };
  // Each thing that the daemon waits for ends with mount-timeout and says why; only a daemon that hangs says nothing.
  return start_in_background(work, on_notice, request.settings.mount_timeout + kStartGrace);
}

// The mount that a daemon which did not come up leaves in the kernel; not that of another one which did.
void clear_mount(const std::string& mountpoint, const Streams& streams) {
  if (!mount_at(cairnfs_mounts(streams.host), mountpoint)) return;
  if (probe_mount(mountpoint, kStartGrace) == MountHealth::answers) return;
  (void)unmount(mountpoint, UnmountMode::lazy, streams.host.superuser);
}

Result<int> mount_in_background(const MountRequest& request, const Streams& streams) {
  const std::chrono::nanoseconds timeout = request.settings.mount_timeout;
  const Result<BackgroundProcess> daemon = start_daemon(request, streams);
  if (!daemon) {
    if (daemon.error().code() == Errc::deadline_exceeded) clear_mount(request.mountpoint, streams);
    return fail(daemon.error());
  }
  if (probe_mount(request.mountpoint, timeout) != MountHealth::silent) {
    streams.out << daemon->words << std::endl;
    return 0;
  }
  ::kill(daemon->pid, SIGKILL);
  clear_mount(request.mountpoint, streams);
  return fail(Errc::deadline_exceeded, "the mount did not answer within {}", human_duration(timeout));
}

// Whether -o asks for a change of a mount that is there; it is then made.
Result<bool> remount_if_asked(const MountArguments& arguments, const Streams& streams) {
  Settings passed_over;
  MountOptions options;
  for (const std::string& text : arguments.options) {
    const Result<void> applied = apply_mount_options(text, passed_over, options);
    if (!applied) return fail(applied.error());
  }
  if (!options.remount) return false;
  const Result<void> done = remount(absolute_path(arguments.mountpoint, streams.host.directory), options, streams);
  if (!done) return fail(done.error());
  return true;
}

Result<int> mount(const MountArguments& arguments, const Streams& streams) {
  const Result<bool> remounted = remount_if_asked(arguments, streams);
  if (!remounted) return fail(remounted.error());
  if (*remounted) return 0;
  const Result<MountRequest> request = gather_request(arguments, streams);
  if (!request) return fail(request.error());
  return request->foreground ? mount_in_front(*request, streams) : mount_in_background(*request, streams);
}

void add_settings(CLI::App& command, const std::shared_ptr<MountArguments>& arguments) {
  for (const Setting& setting : settings_table()) {
    const std::string help =
        std::string(setting.help) + (setting.default_text.empty() ? "" : fmt::format(" [{}]", setting.default_text));
    if (setting.is_switch()) {
      const std::string flag = setting.flag();
      command.add_flag_function(
          flag + ",!--no-" + flag.substr(2),
          [arguments, &setting](int64_t count) {
            arguments->flags.emplace_back(&setting, count > 0 ? "true" : "false");
          },
          help);
    } else {
      command
          .add_option_function<std::string>(
              setting.flag(),
              [arguments, &setting](const std::string& text) { arguments->flags.emplace_back(&setting, text); }, help)
          ->type_name(std::string(setting.value_name()));
    }
  }
}

}  // namespace

void add_mount(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("mount", "Mount a store");
  const auto arguments = std::make_shared<MountArguments>();
  command->add_option("store", arguments->store, "Which: dir:PATH or s3://BUCKET/PREFIX")
      ->required()
      ->type_name("STORE");
  command->add_option("mountpoint", arguments->mountpoint, "An empty directory, or /dev/fd/N")
      ->required()
      ->type_name("MOUNTPOINT");
  command->add_flag("-f,--foreground", arguments->foreground, "Stay in front and log to the terminal; ^C unmounts");
  command->add_option("-o", arguments->options, "Mount options as in /etc/fstab, separated by commas; may be repeated")
      ->type_name("OPTIONS")
      ->allow_extra_args(false);
  command->add_option("--config", arguments->config, "Read this configuration file, and no other")->type_name("FILE");
  add_settings(*command, arguments);
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return mount(*arguments, streams); }; });
}

}  // namespace cairn
