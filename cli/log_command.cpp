#include "base/units.h"
#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/printable.h"
#include "daemon/history.h"
#include "daemon/read_only_store.h"

namespace cairn {

namespace {

constexpr std::chrono::minutes kTimeout{2};

constexpr const char* kHelp =
    "Oldest first: when each version was published, its size, how many chunks were new to the store and how many it "
    "shares with what was there, the bytes that were sent, and by which host. Deleted names are found too. The content "
    "of version N is the file .versions/NAME/N beside it.\n\n"
    "Examples:\n"
    "  cairnfs log /mnt/models/llama/model.safetensors\n"
    "  cairnfs log --json --store dir:/srv/models llama/model.safetensors     without a mount\n";

struct LogOptions {
  std::string path;
  std::string store;
  bool json = false;
};

Result<Json> history_from_store(const LogOptions& options) {
  const Result<std::unique_ptr<ReadOnlyStore>> store = ReadOnlyStore::open(options.store);
  if (!store) return fail(store.error());
  return load_history((*store)->environment(), options.path, RequestContext::within(kTimeout));
}

Result<Json> history_from_mount(const LogOptions& options, const Streams& streams) {
  const Result<Location> location = locate(options.path, streams.host.directory, cairnfs_mounts(streams.host));
  if (!location) return fail(location.error());
  Result<Json> history =
      call_mount(streams, location->mountpoint, {{"op", "log"}, {"path", location->inside}}, kTimeout);
  if (!history) return fail(history.error().in(options.path));
  return history;
}

void print(const Json& said, std::ostream& out) {
  const Json history = printable(said);
  constexpr const char* kRow = "{:<8} {:<20} {:>10} {:>7} {:>7} {:>10}  {}\n";
  out << fmt::format(kRow, "VERSION", "PUBLISHED", "SIZE", "NEW", "SHARED", "SENT", "HOST");
  for (const Json& version : history.at("versions")) {
    out << fmt::format(kRow, version.at("number").get<VersionNumber>(),
                       human_time(version.at("published_ns").get<Nanos>()),
                       human_bytes(version.at("size").get<uint64_t>()), version.at("chunks_new").get<uint32_t>(),
                       version.at("chunks_shared").get<uint32_t>(),
                       human_bytes(version.at("sent_bytes").get<uint64_t>()), version.at("host").get<std::string>());
  }
  const Json& deleted = history.at("deleted_ns");
  if (!deleted.is_null()) out << "deleted  " << human_time(deleted.get<Nanos>()) << "\n";
}

Result<int> log_versions(const LogOptions& options, const Streams& streams) {
  const Result<Json> history =
      options.store.empty() ? history_from_mount(options, streams) : history_from_store(options);
  if (!history) return fail(history.error());
  if (options.json) {
    streams.out << history->dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print(*history, streams.out);
  }
  return 0;
}

}  // namespace

void add_log(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("log", "List the versions of a file");
  const auto options = std::make_shared<LogOptions>();
  command->add_option("path", options->path, "A file in a mount; with --store, its path in the store")
      ->required()
      ->type_name("PATH");
  command->add_option("--store", options->store, "Read this store directly, without a mount")->type_name("STORE");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return log_versions(*options, streams); }; });
}

}  // namespace cairn
