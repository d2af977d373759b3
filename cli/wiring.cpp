#include "cli/wiring.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>

#include "cache/disk_staging_area.h"
#include "cache/lmdb_block_cache.h"

namespace cairn {

namespace {

constexpr uint64_t kLookingMemory = 64U << 20;
constexpr std::chrono::seconds kOpenTimeout{30};
// Of `memory`, for chunk buffers. The rest is for decoding (an eighth of this), what the kernel has asked for, the
// cache's batches and the heap.
constexpr uint64_t kChunkQuarters = 3;

Result<std::unique_ptr<RemoteStack>> open_remote(const std::string& url, const Settings& settings, Random& random) {
  const uint32_t operations = settings.io_threads;
  Result<std::unique_ptr<ObjectStore>> bare = open_object_store(
      url, {.read_only = settings.read_only, .operations = operations, .timeout = settings.mount_timeout});
  if (!bare) return fail(bare.error());
  RemoteStack::Options options;
  options.limits = {.operations = operations, .background_operations = std::max(operations * 3 / 4, 1U)};
  if (is_endpoint(url)) options.hedge = HedgePolicy{};
  return std::make_unique<RemoteStack>(std::move(*bare), options, system_clock(), random);
}

// A quarter of `memory` may wait for the cache's disk, which cold reads outrun.
Result<std::unique_ptr<BlockCache>> open_cache(const std::string& directory, const Settings& settings) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0) return fail(error_from_errno(errno, directory));
  const uint64_t capacity = settings.cache_size.of_disk(disk.f_blocks * disk.f_frsize);
  if (capacity == 0) return std::make_unique<NoBlockCache>();
  return LmdbBlockCache::open(
      {.path = directory, .capacity_bytes = capacity, .queue_bytes = settings.memory_bytes / 4});
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

StoreOptions store_options(const Settings& settings) {
  StoreOptions options;
  options.host = settings.host.empty() ? host_name() : settings.host;
  options.revalidate = settings.revalidate;
  options.commit_delay = settings.commit_delay;
  options.operation_timeout = settings.timeout;
  options.prefetch_chunks = settings.prefetch_chunks;
  options.compression_level = static_cast<int>(settings.compression_level);
  options.verify_digest = settings.verify == "digest";
  options.read_only = settings.read_only;
  return options;
}

StoreOptions looking_options() {
  StoreOptions options;
  options.read_only = true;
  return options;
}

size_t compute_threads(const Settings& settings) {
  return settings.compute_threads != 0 ? settings.compute_threads : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Result<std::unique_ptr<ReadOnlyStore>> ReadOnlyStore::open(const std::string& url) {
  Result<std::unique_ptr<ObjectStore>> bare = open_object_store(url, {.read_only = true});
  if (!bare) return fail(bare.error());
  Result<StoreFormat> format = open_store_format(**bare, RequestContext::within(kOpenTimeout));
  if (!format) return fail(format.error());
  return std::unique_ptr<ReadOnlyStore>(new ReadOnlyStore(std::move(*bare), std::move(*format)));
}

ReadOnlyStore::ReadOnlyStore(std::unique_ptr<ObjectStore> bare, StoreFormat format)
    : remote_(std::move(bare), {}, system_clock(), random_),
      memory_(kLookingMemory),
      compute_("compute", 1),
      io_("io", 2),
      environment_{remote_.objects(), cache_,  staging_,          memory_,           io_, compute_,
                   system_clock(),    random_, std::move(format), looking_options(), {}} {}

Result<std::unique_ptr<MountedStore>> MountedStore::open(const Options& options) {
  const Settings& settings = options.settings;
  const auto context = RequestContext::within(settings.mount_timeout);
  std::unique_ptr<MountedStore> store(new MountedStore());
  auto remote = open_remote(options.url, settings, store->random_);
  if (!remote) return fail(remote.error());
  store->remote_ = std::move(*remote);
  Result<StoreFormat> format = open_store_format(store->remote_->objects(), context);
  if (!format) return fail(format.error());

  auto cache = open_cache(options.cache_dir, settings);
  if (!cache) return fail(cache.error());
  store->cache_ = std::move(*cache);
  auto staging = DiskStagingArea::open(options.cache_dir);
  if (!staging) return fail(staging.error());
  store->staging_ = std::move(*staging);
  store->memory_ = std::make_unique<MemoryBudget>(settings.memory_bytes / 4 * kChunkQuarters);
  store->compute_ = std::make_unique<Executor>("compute", compute_threads(settings));
  store->io_ = std::make_unique<Executor>("io", settings.io_threads);
  const Result<void> started = store->start(std::move(*format), settings, context);
  if (!started) return fail(started.error());
  return store;
}

Result<void> MountedStore::start(StoreFormat format, const Settings& settings, const RequestContext& context) {
  environment_.reset(new StoreEnvironment{remote_->objects(),
                                          *cache_,
                                          *staging_,
                                          *memory_,
                                          *io_,
                                          *compute_,
                                          system_clock(),
                                          random_,
                                          std::move(format),
                                          store_options(settings),
                                          {}});
  reader_ = std::make_unique<ChunkReader>(*environment_);
  writer_ = std::make_unique<ChunkWriter>(*environment_);
  auto file_system = FileSystem::open(*environment_, *reader_, *writer_, context);
  if (!file_system) return fail(file_system.error());
  file_system_ = std::move(*file_system);
  return {};
}

MountedStore::~MountedStore() = default;

}  // namespace cairn
