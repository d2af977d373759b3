#include "tests/support/test_environment.h"

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <random>

#include "base/check.h"
#include "cache/disk_staging_area.h"
#include "cache/memory_block_cache.h"
#include "cache/no_block_cache.h"
#include "remote/memory_object_store.h"

namespace cairn {

namespace {

uint64_t choose_seed() {
  const char* wanted = std::getenv("CAIRN_SEED");
  const uint64_t seed = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : KernelRandom().next_u64();
  std::cout << "CAIRN_SEED=" << seed << '\n';
  return seed;
}

std::unique_ptr<BlockCache> make_cache(uint64_t capacity_bytes) {
  if (capacity_bytes == 0) return std::make_unique<NoBlockCache>();
  return std::make_unique<MemoryBlockCache>(capacity_bytes);
}

template <class T>
T or_die(Result<T> result, const char* what) {
  check(result.has_value(), result ? std::string(what) : what + (": " + result.error().to_string()));
  return std::move(*result);
}

}  // namespace

uint64_t test_seed() {
  static const uint64_t seed = choose_seed();
  return seed;
}

// Another one for every process of every host: ids and sessions must never repeat, not even after a restart.
static uint64_t next_environment_seed() {
  static std::atomic<uint64_t> environments{0};
  return test_seed() + ++environments;
}

TemporaryDirectory::TemporaryDirectory() {
  std::string path = (std::filesystem::temp_directory_path() / "cairn-test-XXXXXX").string();
  check(::mkdtemp(path.data()) != nullptr, "a test can make a temporary directory");
  path_ = path;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Buffer random_bytes(size_t size_bytes, uint64_t seed) {
  std::mt19937_64 engine(seed);
  Buffer bytes(size_bytes);
  for (size_t at = 0; at < size_bytes; at += sizeof(uint64_t)) {
    const uint64_t word = engine();
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, size_bytes - at));
  }
  return bytes;
}

TestStore::TestStore(uint32_t chunk_size) : objects_(std::make_unique<MemoryObjectStore>("test", clock_)) {
  StoreFormat wanted;
  wanted.chunk_size = chunk_size;
  SeededRandom random(test_seed());
  format_ = or_die(init_store(*objects_, wanted, clock_, random, test_context(Cause::maintenance)), "init_store");
}

TestStore::~TestStore() = default;

TestEnvironment::TestEnvironment(TestStore& store, const TestEnvironmentOptions& options)
    : TestEnvironment(store.objects(), options) {}

TestEnvironment::TestEnvironment(ObjectStore& objects, const TestEnvironmentOptions& options)
    : TestEnvironment(objects, options, std::make_shared<TemporaryDirectory>()) {}

TestEnvironment::TestEnvironment(ObjectStore& objects, const TestEnvironmentOptions& options,
                                 std::shared_ptr<TemporaryDirectory> staging)
    : staging_directory_(std::move(staging)),
      random_(options.random_seed ? *options.random_seed : next_environment_seed()),
      memory_(options.memory_bytes),
      cache_(make_cache(options.cache_bytes)),
      staging_(or_die(DiskStagingArea::open(staging_directory_->path().string(), options.staging_bytes),
                      "open the staging area")),
      compute_(std::make_unique<Executor>("compute", options.compute_threads)),
      io_(std::make_unique<Executor>("io", options.io_threads)) {
  const StoreFormat format = or_die(open_store_format(objects, test_context(Cause::maintenance)), "open the store");
  environment_.reset(new StoreEnvironment{.objects = objects,
                                          .cache = *cache_,
                                          .images = options.images != nullptr ? *options.images : no_images_,
                                          .staging = *staging_,
                                          .memory = memory_,
                                          .io = *io_,
                                          .compute = *compute_,
                                          .clock = options.clock != nullptr ? *options.clock : clock_,
                                          .random = random_,
                                          .format = format,
                                          .options = {},
                                          .counters = {}});
  environment_->options.host = options.host;
}

TestEnvironment::~TestEnvironment() {
  // What is still queued may use the environment, so the pools end first.
  io_.reset();
  compute_.reset();
}

}  // namespace cairn
