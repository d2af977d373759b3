#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/log.h"
#include "cli/background.h"
#include "cli/command.h"
#include "cli/config_file.h"
#include "cli/daemon.h"
#include "cli/mount_client.h"
#include "cli/mount_options.h"
#include "cli/unmount.h"
#include "cli/values.h"
#include "fs/fuse/mount_check.h"
#include "remote/atomic_create_proof.h"

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
  for (const std::string& file : config_files(named, streams)) {
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
  if (!mount_at(cairnfs_mounts(streams), mountpoint)) return;
  if (probe_mount(mountpoint, std::chrono::seconds(2)) != MountHealth::dead) return;
  if (!unmount(mountpoint, UnmountMode::lazy, streams.superuser)) return;
  streams.err << "cairnfs: mount: cleared the mount that a dead daemon left at " << mountpoint << "\n";
}

struct FoundStore {
  StoreFormat format;
  std::string url;  // as it describes itself
  bool read_only = false;
};

// Looks at the store before anything is started, so that what is wrong with it is told at once.
Result<FoundStore> find_store(const std::string& url, const Settings& settings, const Streams& streams) {
  FoundStore found;
  found.read_only = settings.read_only;
  Result<std::unique_ptr<ObjectStore>> objects =
      open_object_store(url, {.read_only = found.read_only, .timeout = settings.mount_timeout});
  const bool no_writes =
      !objects && (objects.error().code() == Errc::read_only || objects.error().code() == Errc::permission_denied);
  if (no_writes && !found.read_only) {
    const std::string reason = objects.error().message();
    found.read_only = true;
    objects = open_object_store(url, {.read_only = true, .timeout = settings.mount_timeout});
    if (objects) streams.err << "cairnfs: mount: " << reason << ": mounting read-only\n";
  }
  if (!objects && objects.error().code() == Errc::not_found) {
    return fail(Errc::not_found, "{}: to make a new store there, `cairnfs init {}`", objects.error().message(), url);
  }
  if (!objects) return fail(objects.error());
  KernelRandom random;
  RemoteStack remote(std::move(*objects), {}, system_clock(), random);
  Result<StoreFormat> format = open_store_format(remote.objects(), RequestContext::within(settings.mount_timeout));
  if (!format) return fail(format.error());
  found.format = std::move(*format);
  found.url = remote.objects().describe();
  return found;
}

// Before this host's first write to a store: see prove_atomic_create. Without the right to write there is no harm.
Result<void> prove_store_once(FoundStore& store, const Settings& settings, const std::string& cache_dir,
                              const Streams& streams) {
  const std::string marker = cache_dir + "/proven-" + store.format.store_id;
  if (store.read_only || !is_endpoint(store.url) || std::filesystem::exists(marker)) return {};
  Result<std::unique_ptr<ObjectStore>> bare = open_object_store(store.url, {});
  if (!bare) return fail(bare.error());
  KernelRandom random;
  RemoteStack remote(std::move(*bare), {}, system_clock(), random);
  const auto context = RequestContext::within(settings.mount_timeout, Cause::maintenance);
  const Result<void> proven = prove_atomic_create(remote.objects(), random, context);
  if (proven) {
    std::ofstream(marker) << store.url << "\n";
  } else if (proven.error().code() == Errc::permission_denied) {
    store.read_only = true;
    streams.err << "cairnfs: mount: " << proven.error().message() << ": mounting read-only\n";
  } else {
    return proven;
  }
  return {};
}

Result<std::string> make_cache_directory(const Settings& settings, const FoundStore& store,
                                         const std::string& mountpoint, const Streams& streams) {
  const std::string path = settings.cache_dir.empty()
                               ? default_cache_directory(streams, store.format.store_id, mountpoint)
                               : absolute_path(settings.cache_dir, streams.directory);
  std::error_code made;
  const bool is_new = std::filesystem::create_directories(path, made);
  if (made) {
    return fail(
        error_from_errno(made.value(), path).in("cannot make the cache directory, choose another with --cache-dir"));
  }
  if (is_new) ::chmod(path.c_str(), 0700);  // it holds everybody's bytes
  return path;
}

Result<std::string> choose_log_file(const MountArguments& arguments, const Settings& settings,
                                    const std::string& cache_dir, const Streams& streams) {
  if (settings.log_file.empty() && arguments.foreground) return std::string();
  const std::string path =
      settings.log_file.empty() ? cache_dir + "/cairnfs.log" : absolute_path(settings.log_file, streams.directory);
  errno = 0;
  if (!std::ofstream(path, std::ios::app)) return fail(error_from_errno(errno == 0 ? EIO : errno, path).in("log.file"));
  return path;
}

Result<MountPlan> plan_mount(const MountArguments& arguments, const Streams& streams) {
  MountOptions options;
  Result<Settings> settings = gather_settings(arguments, streams, options);
  if (!settings) return fail(settings.error());
  std::string mountpoint = absolute_path(arguments.mountpoint, streams.directory);
  clear_dead_mount(mountpoint, streams);
  const Result<void> usable = check_mountpoint(mountpoint, options.nonempty);
  if (!usable) return fail(usable.error());
  mountpoint = std::filesystem::canonical(mountpoint).string();
  Result<FoundStore> store = find_store(arguments.store, *settings, streams);
  if (!store) return fail(store.error());
  const Result<std::string> cache_dir = make_cache_directory(*settings, *store, mountpoint, streams);
  if (!cache_dir) return fail(cache_dir.error());
  const Result<void> proven = prove_store_once(*store, *settings, *cache_dir, streams);
  if (!proven) return fail(proven.error());
  settings->read_only = store->read_only;
  const Result<std::string> log_file = choose_log_file(arguments, *settings, *cache_dir, streams);
  if (!log_file) return fail(log_file.error());

  MountPlan plan;
  plan.session.mountpoint = mountpoint;
  plan.session.source = store->url;
  plan.session.allow_other = settings->allow_other;
  plan.session.read_only = settings->read_only;
  plan.session.allow_nonempty = options.nonempty;
  plan.session.extra = options.kernel;
  plan.session.max_threads = settings->fuse_threads;
  plan.session.request_timeout = settings->timeout;
  plan.control_socket = control_socket_path(streams, mountpoint);
  plan.log_file = *log_file;
  plan.store = {store->url, *cache_dir, std::move(*settings)};
  return plan;
}

log::Level log_level(const Settings& settings) {
  if (settings.log_level == "debug") return log::Level::debug;
  if (settings.log_level == "warning") return log::Level::warning;
  if (settings.log_level == "error") return log::Level::error;
  return log::Level::info;
}

Result<void> serve(const MountPlan& plan, const std::function<void()>& ready) {
  log::configure(log_level(plan.store.settings), plan.log_file);
  return serve_mount(plan, ready);
}

void say_mounted(const MountPlan& plan, pid_t daemon, const Streams& streams) {
  streams.out << fmt::format("{} is mounted on {}{} (pid {}, cache in {})\n", plan.session.source,
                             plan.session.mountpoint, plan.session.read_only ? " read-only" : "", daemon,
                             plan.store.cache_dir)
              << std::flush;
}

Result<int> mount_in_background(const MountPlan& plan, const Streams& streams) {
  streams.out << std::flush;
  const std::chrono::nanoseconds timeout = plan.store.settings.mount_timeout;
  const Result<pid_t> daemon = start_in_background(
      [&plan](const std::function<void()>& ready) { return serve(plan, ready); }, plan.log_file, timeout);
  const bool answers = daemon && probe_mount(plan.session.mountpoint, timeout) != MountHealth::silent;
  if (answers) {
    say_mounted(plan, *daemon, streams);
    return 0;
  }
  if (daemon) ::kill(*daemon, SIGKILL);
  if (mount_at(cairnfs_mounts(streams), plan.session.mountpoint)) {
    (void)unmount(plan.session.mountpoint, UnmountMode::lazy, streams.superuser);
  }
  if (!daemon && daemon.error().code() != Errc::deadline_exceeded) return fail(daemon.error());
  return fail(Errc::deadline_exceeded, "the mount did not answer within {}; {} may say why", human_duration(timeout),
              plan.log_file);
}

Result<int> mount(const MountArguments& arguments, const Streams& streams) {
  const Result<MountPlan> plan = plan_mount(arguments, streams);
  if (!plan) return fail(plan.error());
  if (!arguments.foreground) return mount_in_background(*plan, streams);
  const Result<void> served = serve(*plan, [&] { say_mounted(*plan, ::getpid(), streams); });
  if (!served) return fail(served.error());
  return 0;
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
  command->add_option("mountpoint", arguments->mountpoint, "An empty directory")->required()->type_name("MOUNTPOINT");
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
