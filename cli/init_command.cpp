#include "cli/command.h"
#include "cli/values.h"
#include "remote/open.h"
#include "store/store_format.h"

namespace cairn {

namespace {

constexpr std::chrono::minutes kTimeout{2};

constexpr const char* kHelp =
    "A store is everything under one URL. dir:PATH is a directory, local or on a shared file system; it is made if it "
    "is "
    "not there and must be empty if it is.\n\n"
    "Examples:\n"
    "  cairnfs init dir:/srv/models\n"
    "  cairnfs init dir:/mnt/nfs/ckpt --keep-versions 16 --keep-deleted 7d\n";

struct InitOptions {
  std::string url;
  uint64_t chunk_size = kDefaultChunkSize;
  uint32_t keep_versions = StoreFormat{}.keep_versions;
  std::chrono::nanoseconds keep_deleted = std::chrono::seconds(StoreFormat{}.keep_deleted_seconds);
};

Result<int> init(const InitOptions& options, const Streams& streams) {
  if (options.chunk_size > std::numeric_limits<uint32_t>::max()) {
    return fail(Errc::invalid_argument, "--chunk-size: at most 4MiB");
  }
  const Result<std::unique_ptr<ObjectStore>> objects = open_object_store(options.url, {.create = true});
  if (!objects) return fail(objects.error());
  StoreFormat wanted;
  wanted.chunk_size = static_cast<uint32_t>(options.chunk_size);
  wanted.keep_versions = options.keep_versions;
  wanted.keep_deleted_seconds =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(options.keep_deleted).count());
  KernelRandom random;
  const Result<StoreFormat> made =
      init_store(**objects, wanted, system_clock(), random, RequestContext::within(kTimeout, Cause::maintenance));
  if (!made) return fail(made.error());
  streams.out << fmt::format("{} is a store now: id {}, chunks of {}\n", (*objects)->describe(), made->store_id,
                             human_bytes(made->chunk_size));
  return 0;
}

}  // namespace

void add_init(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("init", "Make a store");
  const auto options = std::make_shared<InitOptions>();
  command->add_option("store", options->url, "Where: dir:PATH")->required()->type_name("STORE");
  add_parsed_option(*command, "--chunk-size", options->chunk_size, parse_size,
                    "Plain bytes in a chunk, a power of two from 64KiB to 4MiB; fixed for ever [4MiB]")
      ->type_name("SIZE");
  add_parsed_option(*command, "--keep-versions", options->keep_versions, parse_count,
                    "Versions to keep of each name [64]")
      ->type_name("N");
  add_parsed_option(*command, "--keep-deleted", options->keep_deleted, parse_duration,
                    "How long a deleted name keeps its versions [30d]")
      ->type_name("DURATION");
  command->footer(kHelp);
  command->callback([=, &streams, &chosen] { chosen = [=, &streams] { return init(*options, streams); }; });
}

}  // namespace cairn
