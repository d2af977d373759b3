#include <map>

#include "base/bytes.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/printable.h"
#include "cli/progress.h"

namespace cairn {

namespace {

// The daemon reports progress every second or so; silence for longer means that it hangs.
constexpr std::chrono::minutes kSilence{2};

constexpr const char* kHelp =
    "Brings the current versions of files, and of all files below directories, into this host's cache, so that a job "
    "that starts later reads at local speed. What is there already is not fetched again. ^C stops it; what has arrived "
    "stays.\n\n"
    "Examples:\n"
    "  cairnfs prefetch /mnt/models/llama\n"
    "  cairnfs prefetch /mnt/models/a.safetensors /mnt/models/b.safetensors\n";

struct PrefetchOptions {
  std::vector<std::string> paths;
  bool json = false;
};

Result<Json> prefetch_in(const std::string& mountpoint, const std::vector<std::string>& inside,
                         const Streams& streams) {
  Progress progress(streams, "prefetch");
  const auto show = [&progress](const Json& now) {
    const uint64_t done = now.value("bytes_done", uint64_t{0});
    const uint64_t total = now.value("bytes", uint64_t{0});
    const double seconds = std::chrono::duration<double>(progress.elapsed()).count();
    const auto rate = static_cast<uint64_t>(static_cast<double>(done) / std::max(seconds, 0.001));
    progress.show(done, total,
                  fmt::format("{} of {} files, {} of {}, {}/s", human_count(now.value("files_done", uint64_t{0})),
                              human_count(now.value("files", uint64_t{0})), human_bytes(done), human_bytes(total),
                              human_bytes(rate)));
  };
  Result<Json> result = call_mount(streams, mountpoint, {{"op", "prefetch"}, {"paths", inside}}, kSilence, show);
  if (!result) return result;
  (*result)["mountpoint"] = mountpoint;
  (*result)["seconds"] = std::chrono::duration<double>(progress.elapsed()).count();
  return result;
}

void print(const Json& said, const Streams& streams) {
  const Json result = printable(said);
  const auto number = [&result](const char* key) { return result.at(key).get<uint64_t>(); };
  const double seconds = result.at("seconds").get<double>();
  streams.out << fmt::format(
      "{}: {}, {}: {} was here already, {} brought in {} ({}/s)\n", result.at("mountpoint").get<std::string>(),
      human_count(number("files"), "file"), human_bytes(number("bytes")), human_bytes(number("present_bytes")),
      human_bytes(number("fetched_bytes")),
      human_duration(std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9))),
      human_bytes(static_cast<uint64_t>(static_cast<double>(number("fetched_bytes")) / std::max(seconds, 0.001))));
  if (number("bytes") > number("cache_capacity_bytes")) {
    streams.err << fmt::format(
        "cairnfs: prefetch: the cache holds {} only, so the first are gone again: raise cache.size\n",
        human_bytes(number("cache_capacity_bytes")));
  }
  for (const Json& failed : result.at("failed")) {
    streams.err << fmt::format("cairnfs: prefetch: {}: {}\n", failed.at("path").get<std::string>(),
                               failed.at("error").get<std::string>());
  }
}

Result<int> prefetch(const PrefetchOptions& options, const Streams& streams) {
  std::map<std::string, std::vector<std::string>> by_mount;
  const std::vector<MountPoint> mounts = cairnfs_mounts(streams.host);
  for (const std::string& path : options.paths) {
    const Result<Location> location = locate(path, streams.host.directory, mounts);
    if (!location) return fail(location.error());
    by_mount[location->mountpoint].push_back(location->inside);
  }
  Json results = Json::array();
  bool whole = true;
  for (const auto& [mountpoint, inside] : by_mount) {
    const Result<Json> result = prefetch_in(mountpoint, inside, streams);
    if (!result) return fail(result.error());
    whole = whole && result->at("failed").empty();
    results.push_back(*result);
    if (!options.json) print(*result, streams);
  }
  if (options.json) streams.out << results.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  return whole ? 0 : 1;
}

}  // namespace

void add_prefetch(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("prefetch", "Warm the cache of this host");
  const auto options = std::make_shared<PrefetchOptions>();
  command->add_option("paths", options->paths, "Files or directories in a mount")->required()->type_name("PATH");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return prefetch(*options, streams); }; });
}

}  // namespace cairn
