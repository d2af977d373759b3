#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "base/bytes.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/occupants.h"
#include "cli/printable.h"
#include "cli/unmount.h"
#include "daemon/local_paths.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kKillTimeout{5};
constexpr std::chrono::seconds kProbeTimeout{3};
constexpr std::chrono::seconds kAnswerTimeout{10};

constexpr const char* kHelp =
    "Unmounts and waits until the daemon has published what was pending and is gone. What it could not publish in "
    "time is kept on this machine, listed, and published by the next mount.\n\n"
    "Exit codes: 0 unmounted, all is published; 1 busy, or something is kept.\n\n"
    "Examples:\n"
    "  cairnfs umount /mnt/models\n"
    "  cairnfs umount --lazy /mnt/models      now; open files go on until they are closed\n"
    "  cairnfs umount --force /mnt/models     end a daemon that does not answer\n";

struct UmountOptions {
  std::string path;
  bool lazy = false;
  bool force = false;
  std::chrono::nanoseconds timeout{std::chrono::minutes(2)};
};

// A process that may end at any time, without the danger that its pid becomes another's.
class ProcessHandle {
 public:
  explicit ProcessHandle(pid_t pid) : fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  void signal(int number) const { ::syscall(SYS_pidfd_send_signal, fd_.get(), number, nullptr, 0); }
  // False: it is still there.
  [[nodiscard]] bool wait(std::chrono::nanoseconds timeout) const {
    pollfd waiting{fd_.get(), POLLIN, 0};
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    return !fd_.valid() || ::poll(&waiting, 1, static_cast<int>(std::min<int64_t>(ms, 1 << 30))) != 0;
  }

 private:
  UniqueFd fd_;
};

Error explain_busy(const Error& error, const std::string& mountpoint) {
  const std::string who = describe(find_occupants(mountpoint));
  if (who.empty()) return error;
  return {error.code(), fmt::format("{}: in use by {}: end them, or use --lazy", mountpoint, who)};
}

// Tells the user what the daemon said at its end.
int report_end(const Json& said, const std::string& mountpoint, const Streams& streams) {
  const Json end = printable(said);
  Json kept = Json::array();
  size_t never_closed = 0;
  for (const Json& file : end.value("unpublished", Json::array())) {
    if (file.value("state", "") == "never closed") {
      ++never_closed;
    } else {
      kept.push_back(file);
    }
  }
  if (never_closed > 0) {
    streams.err << fmt::format("cairnfs: umount: {}: of processes that died while they wrote: {}; see `cairnfs kept`\n",
                               mountpoint, human_count(never_closed, "file"));
  }
  if (kept.empty()) {
    streams.out << mountpoint << ": unmounted, everything is published\n";
    return 0;
  }
  streams.err << fmt::format(
      "cairnfs: umount: {}: unmounted; not published yet: {}, kept in {}, to go "
      "out with the next mount:\n",
      mountpoint, human_count(kept.size(), "file"), end.value("cache_dir", "the cache"));
  for (const Json& file : kept) {
    streams.err << fmt::format("  {} ({}): {}\n", file.value("path", "?"), human_bytes(file.value("size", uint64_t{0})),
                               file.value("error", ""));
  }
  return 1;
}

// Nobody listens at the control socket: the daemon has died, or it was started with another runtime directory.
Result<int> unmount_unattended(const UmountOptions& options, const MountPoint& mount, const Streams& streams) {
  if (options.force) abort_connection(mount);
  const bool dead = probe_mount(mount.path, kProbeTimeout) != MountHealth::answers;
  const bool lazy = dead || options.force || options.lazy;
  const bool is_gone = options.force && !mount_at(cairnfs_mounts(streams.host), mount.path);  // by the abort
  const Result<void> unmounted =
      is_gone ? Result<void>()
              : unmount(mount.path, lazy ? UnmountMode::lazy : UnmountMode::orderly, streams.host.superuser);
  if (!unmounted) return fail(explain_busy(unmounted.error(), mount.path));
  streams.out << mount.path
              << (dead ? ": unmounted; its daemon was gone already\n"
                       : ": unmounted; its daemon has another runtime directory and was not waited for\n");
  return 0;
}

// Orderly first, then not.
Result<int> force(const UmountOptions& options, const MountPoint& mount, const ControlCall& call,
                  const Streams& streams) {
  const ProcessHandle daemon(call.daemon_pid());
  daemon.signal(SIGTERM);
  if (daemon.wait(options.timeout)) {
    streams.out << mount.path << ": its daemon has ended\n";
  } else {
    abort_connection(mount);
    daemon.signal(SIGKILL);
    const bool ended = daemon.wait(kKillTimeout);
    streams.out << mount.path << ": its daemon was killed" << (ended ? "" : ", and ends once its store's disk answers")
                << "; what it had not published is kept for the next mount\n";
  }
  if (!mount_at(cairnfs_mounts(streams.host), mount.path)) return 0;
  const Result<void> unmounted = unmount(mount.path, UnmountMode::lazy, streams.host.superuser);
  if (!unmounted) return fail(unmounted.error());
  return 0;
}

// The mount that is at `path`, not only around it.
Result<MountPoint> find_mountpoint(const std::string& path, const Streams& streams) {
  const std::vector<MountPoint> mounts = cairnfs_mounts(streams.host);
  const Result<Location> location = locate(path, streams.host.directory, mounts);
  if (!location) return fail(location.error());
  if (!location->inside.empty()) {
    return fail(Errc::invalid_argument, "{} is inside a mount: `cairnfs umount {}`", path, location->mountpoint);
  }
  return *mount_at(mounts, location->mountpoint);
}

Result<int> umount(const UmountOptions& options, const Streams& streams) {
  const Result<MountPoint> mount = find_mountpoint(options.path, streams);
  if (!mount) return fail(mount.error());
  Result<ControlCall> end = ControlCall::send(find_control_socket(streams.host, mount->path), {{"op", "await_end"}});
  if (!end && end.error().code() == Errc::permission_denied) return fail(explain_silence(end.error(), mount->path));
  if (!end) return unmount_unattended(options, *mount, streams);
  if (options.force) return force(options, *mount, *end, streams);
  // A daemon that ends before it has taken the request would leave us without its last words.
  const Result<void> taken = options.lazy ? Result<void>() : end->wait_until_taken(kAnswerTimeout);
  if (!taken) return fail(explain_silence(taken.error(), mount->path));

  const Result<void> unmounted =
      unmount(mount->path, options.lazy ? UnmountMode::lazy : UnmountMode::orderly, streams.host.superuser);
  if (!unmounted) return fail(explain_busy(unmounted.error(), mount->path));
  if (options.lazy) {
    streams.out << fmt::format("{}: detached; its daemon (pid {}) ends when the last open file is closed\n",
                               mount->path, end->daemon_pid());
    return 0;
  }
  const ProcessHandle daemon(end->daemon_pid());
  const Result<Json> ended = end->wait(options.timeout);
  if (!ended) return fail(explain_silence(ended.error(), mount->path));
  if (!daemon.wait(options.timeout)) {
    return fail(Errc::deadline_exceeded, "{}: unmounted, but its daemon (pid {}) does not end", mount->path,
                end->daemon_pid());
  }
  return report_end(*ended, mount->path, streams);
}

}  // namespace

void add_umount(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("umount", "Unmount, and wait until everything is published");
  const auto options = std::make_shared<UmountOptions>();
  command->add_option("mountpoint", options->path, "What to unmount")->required()->type_name("MOUNTPOINT");
  command->add_flag("-l,--lazy", options->lazy, "Detach a mount that is in use, and do not wait");
  command->add_flag("-f,--force", options->force, "End the daemon: with SIGTERM, after the timeout with SIGKILL");
  add_parsed_option(*command, "--timeout", options->timeout, parse_duration, "How long to wait for the daemon [2m]")
      ->type_name("DURATION");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return umount(*options, streams); }; });
}

}  // namespace cairn
