// A store and its hosts, all within one test: no network, no mount, no real time.
//
//   TestStore store;                        // an initialised store in memory
//   TestEnvironment host(store);            // one host of it; make two for a test of two hosts
//   ChunkReader reader(host.environment());
//
// To put faults or gates between a host and the store, wrap store.objects() and pass the wrapper instead:
//   FaultyObjectStore faulty(store.objects(), …);
//   TestEnvironment host(faulty);
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cache/no_image_cache.h"
#include "store/environment.h"
#include "tests/support/fake_clock.h"

namespace cairn {

// A context for test code: long enough for a sanitizer build, short enough to end before the test's own deadline.
inline RequestContext test_context(Cause cause = Cause::demand) {
  return RequestContext::within(std::chrono::seconds(30), cause);
}

// The seed of this run: CAIRN_SEED from the environment if set, else from the kernel. Printed once per process, so that
// a failure can be repeated.
uint64_t test_seed();

// A directory that goes with everything in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// `size_bytes` bytes that do not compress and are the same for the same seed.
Buffer random_bytes(size_t size_bytes, uint64_t seed);

// A MemoryObjectStore on which init_store has run.
class TestStore {
 public:
  // Small chunks by default, so that small files have several.
  explicit TestStore(uint32_t chunk_size = 64U << 10);
  ~TestStore();
  [[nodiscard]] ObjectStore& objects() { return *objects_; }
  // The store's own clock, which dates its objects; no host's.
  [[nodiscard]] FakeClock& clock() { return clock_; }
  [[nodiscard]] const StoreFormat& format() const { return format_; }

 private:
  FakeClock clock_;
  std::unique_ptr<ObjectStore> objects_;
  StoreFormat format_;
};

struct TestEnvironmentOptions {
  std::string host = "host-a";
  uint64_t memory_bytes = 64ULL << 20;
  uint64_t cache_bytes = 256ULL << 20;  // 0: no cache at all
  uint64_t staging_bytes = 0;           // 0: as much as the disk has
  size_t io_threads = 4;
  size_t compute_threads = 2;
  ImageCache* images = nullptr;           // nullptr: none
  const Clock* clock = nullptr;           // nullptr: the environment's own FakeClock
  std::optional<uint64_t> random_seed{};  // nullopt: another one for every environment
};

// What daemon/ wires for a real mount, with test doubles for every outside world. Two hosts made with the same
// `staging` directory one after the other are one host before and after a restart. Ownership: owns everything but the
// ObjectStore. Destroy the objects that use environment() first.
class TestEnvironment {
 public:
  explicit TestEnvironment(TestStore& store, const TestEnvironmentOptions& options = {});
  // `objects` already holds a store.
  explicit TestEnvironment(ObjectStore& objects, const TestEnvironmentOptions& options = {});
  TestEnvironment(ObjectStore& objects, const TestEnvironmentOptions& options,
                  std::shared_ptr<TemporaryDirectory> staging);
  ~TestEnvironment();

  [[nodiscard]] StoreEnvironment& environment() { return *environment_; }
  [[nodiscard]] FakeClock& clock() { return clock_; }
  [[nodiscard]] MemoryBudget& memory() { return memory_; }
  [[nodiscard]] BlockCache& cache() { return *cache_; }
  [[nodiscard]] StoreCounters& counters() { return environment_->counters; }
  [[nodiscard]] std::shared_ptr<TemporaryDirectory> staging_directory() const { return staging_directory_; }

 private:
  std::shared_ptr<TemporaryDirectory> staging_directory_;
  FakeClock clock_;
  SeededRandom random_;
  MemoryBudget memory_;
  std::unique_ptr<BlockCache> cache_;
  NoImageCache no_images_;
  std::unique_ptr<StagingArea> staging_;
  std::unique_ptr<Executor> compute_;
  std::unique_ptr<Executor> io_;
  std::unique_ptr<StoreEnvironment> environment_;
};

}  // namespace cairn
