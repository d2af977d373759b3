#include <grp.h>

#include <charconv>

#include "base/units.h"
#include "cli/command.h"
#include "remote/atomic_create_proof.h"
#include "remote/open.h"
#include "remote/remote_stack.h"
#include "store/format/store_format.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kTimeout{30};  // as mount-timeout

constexpr const char* kHelp =
    "A store is everything under one URL. dir:PATH is a directory, local or on a shared file system; it is made if it "
    "is not there and must be empty if it is. s3://BUCKET/PREFIX is in a bucket that exists; ?endpoint=URL says where "
    "if not at AWS, and docs/s3.md what else can follow. The endpoint must honour conditional PUTs: init finds out.\n\n"
    "Examples:\n"
    "  cairnfs init dir:/srv/models\n"
    "  cairnfs init 's3://models/team?endpoint=https://s3.example.com&region=eu'\n"
    "  cairnfs init dir:/mnt/nfs/ckpt --keep-versions 16 --keep-deleted 7d\n";

struct InitOptions {
  std::string url;
  std::string group;
  uint64_t chunk_size = kDefaultChunkSize;
  uint32_t keep_versions = StoreFormat{}.keep_versions;
  std::chrono::nanoseconds keep_deleted = std::chrono::seconds(StoreFormat{}.keep_deleted_seconds);
};

// A name, or a number.
Result<gid_t> group_named(const std::string& name) {
  if (const group* found = ::getgrnam(name.c_str())) return found->gr_gid;
  gid_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) return number;
  return fail(Errc::invalid_argument, "--group: this host knows no group '{}'", name);
}

Result<int> init(const InitOptions& options, const Streams& streams) {
  if (options.chunk_size > std::numeric_limits<uint32_t>::max()) {
    return fail(Errc::invalid_argument, "--chunk-size: at most 4MiB");
  }
  OpenObjectStoreOptions open{.create = true};
  if (!options.group.empty()) {
    if (is_endpoint(options.url)) return fail(Errc::invalid_argument, "--group is for dir: stores");
    const auto group = group_named(options.group);
    if (!group) return fail(group.error());
    open.group = *group;
  }
  Result<std::unique_ptr<ObjectStore>> bare = open_object_store(options.url, open);
  if (!bare) return fail(bare.error());
  KernelRandom random;
  RemoteStack remote(std::move(*bare), {}, system_clock(), random);
  ObjectStore& objects = remote.objects();
  const auto context = RequestContext::within(kTimeout, Cause::maintenance);
  if (is_endpoint(options.url)) {
    const Result<void> proven = prove_atomic_create(objects, random, context);
    if (!proven) return fail(proven.error());
  }
  StoreFormat wanted;
  wanted.chunk_size = static_cast<uint32_t>(options.chunk_size);
  wanted.keep_versions = options.keep_versions;
  wanted.keep_deleted_seconds =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(options.keep_deleted).count());
  const Result<StoreFormat> made = init_store(objects, wanted, system_clock(), random, context);
  if (!made) return fail(made.error());
  streams.out << fmt::format("{} is a store now: id {}, chunks of {}\n", objects.describe(), made->store_id,
                             human_bytes(made->chunk_size));
  return 0;
}

}  // namespace

void add_init(CLI::App& app, const Streams& streams, Action& chosen) {
  CLI::App* command = app.add_subcommand("init", "Make a store");
  const auto options = std::make_shared<InitOptions>();
  command->add_option("store", options->url, "Where: dir:PATH or s3://BUCKET/PREFIX")->required()->type_name("STORE");
  command
      ->add_option("--group", options->group,
                   "dir: only: hosts that run as members of this group share the store [its owner alone]")
      ->type_name("GROUP");
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
