#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <iostream>

#include "base/bytes.h"
#include "base/units.h"
#include "cache/disk_staging_area.h"
#include "cli/command.h"
#include "cli/mount_client.h"
#include "cli/printable.h"
#include "daemon/read_only_store.h"
#include "fs/kept_identity.h"
#include "store/chunks/chunk_reader.h"
#include "store/drafts/export_draft.h"
#include "store/drafts/kept_draft.h"

namespace cairn {

namespace {

constexpr std::chrono::minutes kSilence{10};
constexpr std::chrono::minutes kTimeout{10};

constexpr const char* kHelp =
    "What closes could not publish, and what was being written when a daemon died, stays on this machine as drafts. "
    "`list` shows them: number, path, size, since when, state, why. A draft that is \"queued\" waits for its turn "
    "(--commit async), one that is \"waiting\" is tried again by itself; one that is \"undecided\" (its name is taken, "
    "its directory is gone…) or \"never closed\" waits for one of the other three.\n"
    "  list [MOUNTPOINT]                what the mounts of this host keep\n"
    "  export NUMBER FILE [MOUNTPOINT]  write its bytes into a new file; the draft stays\n"
    "  publish NUMBER [MOUNTPOINT]      one attempt now, also of what was never closed\n"
    "  discard NUMBER [MOUNTPOINT]      give its bytes up for good\n"
    "MOUNTPOINT may be left out where there is one mount. With --cache-dir no mount is needed for all but publish.\n\n"
    "Examples:\n"
    "  cairnfs kept\n"
    "  cairnfs kept export 17 /tmp/model.pt\n"
    "  cairnfs kept list --cache-dir /var/cache/cairnfs/4f2a91bc-srv-models\n";

struct KeptOptions {
  std::string action = "list";
  std::vector<std::string> arguments;
  std::string cache_dir;
  std::string store;
  bool json = false;
  bool yes = false;
};

Result<uint64_t> parse_number(const std::string& text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end) return number;
  return fail(Errc::invalid_argument, "'{}' is no draft's number: see `cairnfs kept`", text);
}

// Of one mount, whichever way it was named.
Result<std::string> mountpoint_of(const KeptOptions& options, size_t argument, const Streams& streams) {
  if (options.arguments.size() > argument) {
    auto mount = find_mount(options.arguments[argument], streams);
    if (!mount) return fail(std::move(mount).error());
    return mount->path;
  }
  const std::vector<MountPoint> mounts = cairnfs_mounts(streams.host);
  if (mounts.size() == 1) return mounts.front().path;
  return fail(Errc::invalid_argument, "{}",
              mounts.empty() ? "nothing is mounted: give --cache-dir DIR" : "several mounts: say which MOUNTPOINT");
}

void print(const Json& kept, const Streams& streams) {
  const Nanos now = system_clock().wall_now();
  for (const Json& file : printable(kept)) {
    const Nanos since = file.value("since_ns", Nanos{0});
    const std::chrono::nanoseconds age(std::max<Nanos>(now - since, 0));
    streams.out << fmt::format("{:>6}  {}  {}, {} old, {}: {}\n", file.value("number", uint64_t{0}),
                               file.value("path", "?"), human_bytes(file.value("size", uint64_t{0})),
                               human_duration(age), file.value("state", "?"), file.value("error", ""));
  }
}

void print_all(const Json& kept, const KeptOptions& options, const Streams& streams) {
  if (options.json) {
    streams.out << Json{{"kept", kept}}.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    print(kept, streams);
  }
}

Result<int> list_mounts(const KeptOptions& options, const Streams& streams) {
  std::vector<std::string> mountpoints;
  if (options.arguments.empty()) {
    for (const MountPoint& mount : cairnfs_mounts(streams.host)) mountpoints.push_back(mount.path);
  } else {
    auto mount = find_mount(options.arguments.front(), streams);
    if (!mount) return fail(std::move(mount).error());
    mountpoints.push_back(mount->path);
  }
  Json all = Json::array();
  bool all_answered = true;
  for (const std::string& mountpoint : mountpoints) {
    const Result<Json> answer = call_mount(streams, mountpoint, {{"op", "kept_list"}}, kSilence);
    if (!answer) {
      streams.err << fmt::format("cairnfs: kept: {}: {}\n", mountpoint, answer.error().message());
      all_answered = false;
      continue;
    }
    for (Json file : answer->at("kept")) {
      file["mountpoint"] = mountpoint;
      all.push_back(std::move(file));
    }
  }
  print_all(all, options, streams);
  return all_answered ? 0 : 1;
}

std::string_view state_of(const KeptDraft& draft, const KeptIdentity& known) {
  if (!draft.is_kept) return "never closed";
  if (known.is_undecided) return "undecided";
  return known.order != 0 && known.error.empty() ? "queued" : "waiting";
}

// The drafts in a cache directory that no daemon uses.
class StoppedCache {
 public:
  static Result<StoppedCache> open(const std::string& cache_dir) {
    std::error_code none;
    if (!std::filesystem::is_directory(cache_dir + "/staging", none)) {
      return fail(Errc::not_found, "'{}' is no cache directory", cache_dir);
    }
    auto area = DiskStagingArea::open(cache_dir);
    if (!area) return fail(std::move(area).error());
    auto drafts = take_kept_drafts(**area, kDefaultChunkSize);
    if (!drafts) return fail(std::move(drafts).error());
    return StoppedCache(std::move(*area), std::move(*drafts));
  }

  [[nodiscard]] Json list() const {
    Json all = Json::array();
    for (const KeptDraft& draft : drafts_) {
      const auto identity = KeptIdentity::from_json(draft.description.identity);
      const KeptIdentity known = identity ? *identity : KeptIdentity();
      all.push_back({{"number", draft.number},
                     {"path", identity ? known.path : "?"},
                     {"size", draft.description.layout.size_bytes()},
                     {"since_ns", known.kept != 0 ? known.kept : known.mtime},
                     {"state", state_of(draft, known)},
                     {"error", identity ? known.error : identity.error().message()},
                     {"store_id", draft.description.store_id}});
    }
    return all;
  }

  Result<KeptDraft*> find(uint64_t number) {
    for (KeptDraft& draft : drafts_) {
      if (draft.number == number) return &draft;
    }
    return fail(Errc::not_found, "no kept draft {}", number);
  }

 private:
  StoppedCache(std::unique_ptr<DiskStagingArea> area, std::vector<KeptDraft> drafts)
      : area_(std::move(area)), drafts_(std::move(drafts)) {}

  std::unique_ptr<DiskStagingArea> area_;
  std::vector<KeptDraft> drafts_;
};

Result<void> export_with_store(KeptDraft& draft, const std::string& url, const std::string& file) {
  auto store = ReadOnlyStore::open(url);
  if (!store) return fail(std::move(store).error());
  StoreEnvironment& environment = (*store)->environment();
  const std::string& owner = draft.description.store_id;
  if (!owner.empty() && owner != environment.format.store_id) {
    return fail(Errc::invalid_argument, "the draft belongs to another store, {}", owner);
  }
  ChunkReader reader(environment);
  const auto context = RequestContext::within(kTimeout, Cause::demand);
  std::shared_ptr<FileReader> base;
  if (draft.needs_base()) {
    auto opened = FileReader::open(environment, reader, draft.description.base, context);
    if (!opened) return fail(std::move(opened).error());
    base = std::move(*opened);
  }
  const DraftBytes bytes(std::move(draft.staging), std::move(base), &reader, draft.description.layout, {}, true);
  return export_draft(bytes, file, context);
}

Result<void> export_stopped(KeptDraft& draft, const KeptOptions& options, const std::string& file) {
  if (!draft.needs_store()) {
    const DraftBytes bytes(std::move(draft.staging), nullptr, nullptr, draft.description.layout, {}, true);
    return export_draft(bytes, file, RequestContext::within(kTimeout));
  }
  if (options.store.empty()) {
    return fail(Errc::invalid_argument, "part of its bytes are in the store: give --store URL");
  }
  return export_with_store(draft, options.store, file);
}

bool confirmed(uint64_t number, const KeptOptions& options, const Streams& streams) {
  if (options.yes || ::isatty(STDIN_FILENO) == 0) return true;
  streams.err << fmt::format("Give up the bytes of kept draft {} for good? [y/N] ", number) << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "yes";
}

Result<int> act_on_stopped(const KeptOptions& options, uint64_t number, const std::string& file) {
  if (options.action == "publish") return fail(Errc::invalid_argument, "publish needs the store to be mounted");
  auto cache = StoppedCache::open(options.cache_dir);
  if (!cache) return fail(std::move(cache).error());
  auto draft = cache->find(number);
  if (!draft) return fail(std::move(draft).error());
  if (options.action == "discard") {
    (*draft)->staging->release();
    return 0;
  }
  if (auto done = export_stopped(**draft, options, file); !done) return fail(std::move(done).error());
  return 0;
}

Result<int> act(const KeptOptions& options, const Streams& streams) {
  const bool exports = options.action == "export";
  const size_t wanted = exports ? 2 : 1;
  if (options.arguments.size() < wanted || options.arguments.size() > wanted + 1) {
    return fail(Errc::invalid_argument, "{} takes NUMBER{} [MOUNTPOINT]", options.action, exports ? " FILE" : "");
  }
  auto number = parse_number(options.arguments[0]);
  if (!number) return fail(std::move(number).error());
  if (options.action == "discard" && !confirmed(*number, options, streams)) return 1;
  const std::string file =
      exports ? (std::filesystem::path(streams.host.directory) / options.arguments[1]).string() : "";
  if (!options.cache_dir.empty()) return act_on_stopped(options, *number, file);
  auto mountpoint = mountpoint_of(options, wanted, streams);
  if (!mountpoint) return fail(std::move(mountpoint).error());
  const Json request = {{"op", "kept_" + options.action}, {"number", *number}, {"path", file}};
  if (auto done = call_mount(streams, *mountpoint, request, kSilence); !done) return fail(std::move(done).error());
  return 0;
}

Result<int> list_stopped(const KeptOptions& options, const Streams& streams) {
  auto cache = StoppedCache::open(options.cache_dir);
  if (!cache) return fail(std::move(cache).error());
  print_all(cache->list(), options, streams);
  return 0;
}

Result<int> kept(const KeptOptions& options, const Streams& streams) {
  if (options.action != "list") return act(options, streams);
  return options.cache_dir.empty() ? list_mounts(options, streams) : list_stopped(options, streams);
}

}  // namespace

void add_kept(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("kept", "What is on this machine only: list, export, publish, discard");
  const auto options = std::make_shared<KeptOptions>();
  command->add_option("action", options->action, "list (the default), export, publish or discard")
      ->check(CLI::IsMember({"list", "export", "publish", "discard"}))
      ->type_name("ACTION");
  command->add_option("arguments", options->arguments, "As the action needs them, see below")->type_name("ARGUMENT");
  command->add_option("--cache-dir", options->cache_dir, "Look into a cache directory that no mount uses")
      ->type_name("DIR");
  command->add_option("--store", options->store, "With --cache-dir: where a draft's unchanged bytes are")
      ->type_name("STORE");
  command->add_flag("--json", options->json, "Print the list as JSON");
  command->add_flag("--yes", options->yes, "Discard without asking");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return kept(*options, streams); }; });
}

}  // namespace cairn
