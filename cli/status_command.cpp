#include <algorithm>
#include <filesystem>

#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/status_text.h"
#include "daemon/local_paths.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kSilence{5};

constexpr const char* kHelp =
    "What the daemon of a mount does: its cache and memory, what it has read, fetched and sent, which files are open, "
    "and which could not be published and are kept on this machine. Without a path: every mount of this host. Never "
    "waits for a mount that hangs.\n\n"
    "Exit codes: 0 every daemon answered; 1 one did not.\n\n"
    "Examples:\n"
    "  cairnfs status\n"
    "  cairnfs status --json /mnt/models | jq .unpublished\n";

struct StatusOptions {
  std::string path;
  bool json = false;
};

Result<int> status_of_one(const StatusOptions& options, const Streams& streams) {
  const Result<MountPoint> mount = find_mount(options.path, streams);
  if (!mount) return fail(mount.error());
  const Result<Json> status = call_mount(streams, mount->path, {{"op", "status"}}, kSilence);
  if (!status) return fail(status.error());
  if (options.json) {
    streams.out << status->dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    streams.out << status_text(*status);
  }
  return 0;
}

// Daemons whose mount is detached already, but whose files are still open somewhere. Sockets of dead ones are removed.
std::vector<Json> detached_daemons(const std::vector<MountPoint>& mounts, const Streams& streams) {
  std::vector<Json> found;
  std::error_code none;
  for (const auto& file : std::filesystem::directory_iterator(runtime_directory(streams.host), none)) {
    const std::string path = file.path().string();
    const auto is_of = [&](const MountPoint& mount) { return control_socket_path(streams.host, mount.path) == path; };
    if (file.path().extension() != ".sock" || std::any_of(mounts.begin(), mounts.end(), is_of)) continue;
    Result<Json> status = control_call(path, {{"op", "status"}}, kSilence);
    if (status) found.push_back(std::move(*status));
    if (!status && status.error().code() == Errc::unavailable) std::filesystem::remove(file.path(), none);
  }
  return found;
}

Result<int> status_of_all(const StatusOptions& options, const Streams& streams) {
  const std::vector<MountPoint> mounts = cairnfs_mounts(streams.host);
  std::vector<Json> answers;
  bool all_answered = true;
  for (const MountPoint& mount : mounts) {
    Result<Json> status = call_mount(streams, mount.path, {{"op", "status"}}, kSilence);
    all_answered = all_answered && status;
    answers.push_back(
        status ? std::move(*status)
               : Json{{"mountpoint", mount.path}, {"store", mount.source}, {"error", status.error().message()}});
  }
  for (Json& detached : detached_daemons(mounts, streams)) {
    detached["detached"] = true;
    answers.push_back(std::move(detached));
  }
  if (options.json) {
    streams.out << Json{{"mounts", answers}}.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return all_answered ? 0 : 1;
  }
  if (answers.empty()) streams.out << "No CairnFS mounts on this host.\n";
  for (size_t i = 0; i < answers.size(); ++i) streams.out << (i == 0 ? "" : "\n") << status_text(answers[i]);
  return all_answered ? 0 : 1;
}

}  // namespace

void add_status(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("status", "Show what mounts are doing");
  const auto options = std::make_shared<StatusOptions>();
  command->add_option("mountpoint", options->path, "A path in the mount; by default all mounts of this host")
      ->type_name("MOUNTPOINT");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] {
    chosen = [=, &streams] {
      return options->path.empty() ? status_of_all(*options, streams) : status_of_one(*options, streams);
    };
  });
}

}  // namespace cairn
