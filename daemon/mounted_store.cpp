#include "daemon/mounted_store.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/random.h"
#include "cache/disk_staging_area.h"
#include "cache/images/disk_image_cache.h"
#include "cache/lmdb_block_cache.h"
#include "cache/no_block_cache.h"
#include "cache/no_image_cache.h"
#include "daemon/disk_space.h"

namespace cairn {

namespace {

// Of `memory`, for chunk buffers. The rest is for decoding (an eighth of this), what the kernel has asked for, the
// cache's batches and the heap.
constexpr uint64_t kChunkQuarters = 3;

Result<uint64_t> cache_bytes(const std::string& directory, const Settings& settings) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0) return fail(error_from_errno(errno, directory));
  return settings.cache_size.of_disk(disk.f_blocks * disk.f_frsize);
}

// Less has no room for images beside the blocks.
constexpr uint64_t kLeastWithImages = 4 * LmdbBlockCache::kMinCapacityBytes;

// Where there are images, blocks are of small files and lists of chunks: half of the capacity is theirs at most, and
// the images' what they leave of it. A quarter of `memory` may wait for the cache's disk.
Result<std::unique_ptr<BlockCache>> open_blocks(const std::string& directory, uint64_t capacity,
                                                const Settings& settings, uint32_t care) {
  if (capacity == 0) return std::make_unique<NoBlockCache>();
  return LmdbBlockCache::open({.path = directory,
                               .capacity_bytes = capacity < kLeastWithImages ? capacity : capacity / 2,
                               .queue_bytes = settings.memory_bytes / 4,
                               .care = care});
}

// Less could not hold the chunks that are on their way.
constexpr uint64_t kLeastStagedChunks = 4;

uint64_t staging_bytes(const Settings& settings, const StoreFormat& format) {
  if (settings.staging_bytes == 0) return 0;
  return std::max(settings.staging_bytes, kLeastStagedChunks * format.chunk_size);
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

// Of this process's descriptors, for staging files: one may have two. The others are for the store, the cache and who
// asks.
uint64_t most_writers(uint64_t wanted) {
  rlimit files{};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? std::min<uint64_t>(wanted, files.rlim_cur / 4) : wanted;
}

StoreOptions store_options(const Settings& settings, const Verification& verification) {
  StoreOptions options;
  options.most_writers = most_writers(options.most_writers);
  options.host = settings.host.empty() ? host_name() : settings.host;
  options.revalidate = settings.revalidate;
  options.commit_delay = settings.commit_delay;
  options.operation_timeout = settings.timeout;
  options.prefetch_chunks = settings.prefetch_chunks;
  options.prefetch_siblings = settings.prefetch_siblings;
  options.load_profile = settings.load_profile;
  options.compression_level = static_cast<int>(settings.compression_level);
  options.verify_digest = verification.digest;
  options.read_only = settings.read_only;
  options.commit_async = settings.commit == "async";
  return options;
}

size_t compute_threads(const Settings& settings) {
  return settings.compute_threads != 0 ? settings.compute_threads : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

Result<std::unique_ptr<MountedStore>> MountedStore::open(Options options) {
  const Settings& settings = options.settings;
  std::unique_ptr<MountedStore> store(new MountedStore());
  store->remote_ = std::move(options.remote);
  store->verification_ = choose_verification(settings.verify, store->remote_->objects().way());
  const auto capacity = cache_bytes(options.cache_dir, settings);
  if (!capacity) return fail(capacity.error());
  auto cache = open_blocks(options.cache_dir, *capacity, settings, store->verification_.care);
  if (!cache) return fail(cache.error());
  store->cache_ = std::move(*cache);
  if (auto opened = store->open_images(options.cache_dir, *capacity, settings); !opened) return fail(opened.error());
  auto staging = DiskStagingArea::open(options.cache_dir, staging_bytes(settings, options.format),
                                       most_writers(StoreOptions{}.most_writers));
  if (!staging) return fail(staging.error());
  store->staging_ = std::move(*staging);
  store->memory_ = std::make_unique<MemoryBudget>(settings.memory_bytes / 4 * kChunkQuarters);
  store->compute_ = std::make_unique<Executor>("compute", compute_threads(settings));
  store->io_ = std::make_unique<Executor>("io", settings.io_threads);
  const Result<void> started = store->start(std::move(options.format), settings);
  if (!started) return fail(started.error());
  std::vector<std::string> disks{options.cache_dir};
  if (!options.store_dir.empty()) disks.push_back(options.store_dir);
  store->control().set_space_source([space = DiskSpace(std::move(disks))] { return space.now(); });
  return store;
}

Result<void> MountedStore::open_images(const std::string& directory, uint64_t capacity, const Settings& settings) {
  if (capacity < kLeastWithImages) {
    images_ = std::make_unique<NoImageCache>();
    return {};
  }
  auto images = DiskImageCache::open({.path = directory,
                                      .capacity_bytes = capacity,
                                      .queue_bytes = settings.memory_bytes / 4,
                                      .care = verification_.care,
                                      .blocks = cache_.get()});
  if (!images) return fail(images.error());
  if (settings.cache_scrub_bytes > 0) {
    scrub_ = std::make_unique<ImageScrub>(**images, settings.cache_scrub_bytes);
  }
  images_ = std::move(*images);
  return {};
}

Result<void> MountedStore::start(StoreFormat format, const Settings& settings) {
  environment_.reset(new StoreEnvironment{remote_->objects(),
                                          *cache_,
                                          *images_,
                                          *staging_,
                                          *memory_,
                                          *io_,
                                          *compute_,
                                          system_clock(),
                                          kernel_random(),
                                          std::move(format),
                                          store_options(settings, verification_),
                                          {}});
  reader_ = std::make_unique<ChunkReader>(*environment_);
  writer_ = std::make_unique<ChunkWriter>(*environment_, settings.io_threads);
  auto patterns = PublishOpenRules::parse_patterns(settings.publish_open);
  if (!patterns) return fail(patterns.error().in("publish-open"));
  auto file_system =
      StoreFileSystem::open(*environment_, *reader_, *writer_, RequestContext::within(settings.mount_timeout),
                            {std::move(*patterns), settings.publish_open_after});
  if (!file_system) return fail(file_system.error());
  file_system_ = std::move(*file_system);
  return {};
}

MountedStore::~MountedStore() = default;

}  // namespace cairn
