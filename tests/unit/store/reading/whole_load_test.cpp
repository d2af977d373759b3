// Loads in an order of their own: what they make the prefetcher fetch, and the profile that they leave.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "store/chunks/manifest_objects.h"
#include "store/reading/load_profiles.h"
#include "tests/support/faulty_object_store.h"
#include "tests/unit/store/stored_files.h"

namespace cairn {
namespace {

constexpr uint32_t kChunk = 64U << 10;
constexpr uint64_t kTensor = 16ULL * kChunk;
constexpr uint64_t kTensors = kLeastProfiledBytes / kTensor;
constexpr size_t kPiece = 16U << 10;
constexpr uint64_t kWindow = 8;

// A host that reads tensors of one file. One io thread, so that what was asked for is done in that order.
class Loader {
 public:
  Loader(ObjectStore& store, VersionPtr version, ByteView content) : remote_(store), content_(content) {
    host_.environment().options.prefetch_chunks = kWindow;
    version_ = std::move(version);
  }

  StoreOptions& options() { return host_.environment().options; }
  void open() {
    file_ = FileReader::open(host_.environment(), reader_, version_, test_context()).value();
    file_->set_page_sink([](uint64_t, ByteView, const SharedBuffer&) { return true; });
  }
  void close() { file_ = nullptr; }

  void read_tensor(uint64_t tensor) {
    std::vector<std::byte> out(kPiece);
    for (uint64_t at = tensor * kTensor; at < (tensor + 1) * kTensor; at += kPiece) {
      ASSERT_EQ(file_->read(at, out, test_context()).value(), kPiece);
      ASSERT_EQ(std::memcmp(out.data(), content_.data() + at, kPiece), 0);
    }
    settle();
  }
  // What a chunk brings is asked for when the one before has come.
  void settle() {
    for (uint64_t before = remote_.count() + 1; before != remote_.count();) {
      before = remote_.count();
      let_io_finish(host_);
    }
  }
  uint64_t fetched() const { return remote_.count(ObjectOperation::get, keys::kChunks); }
  uint64_t profiles_asked() const { return remote_.count(ObjectOperation::get, keys::kProfiles); }
  bool is_local(size_t chunk) const { return reader_.is_local(file_->manifest().chunks()[chunk]); }
  bool has_tensor(uint64_t tensor) const {
    for (size_t chunk = tensor * 16; chunk < (tensor + 1) * 16; ++chunk) {
      if (!is_local(chunk)) return false;
    }
    return true;
  }

 private:
  FaultyObjectStore remote_;
  const ByteView content_;
  VersionPtr version_;
  TestEnvironment host_{remote_, TestEnvironmentOptions{.io_threads = 1}};
  ChunkReader reader_{host_.environment()};
  std::shared_ptr<FileReader> file_;
};

class WholeLoads : public testing::Test {
 protected:
  WholeLoads() : content_(random_bytes(kTensors * kTensor, 1)) {
    const VersionPtr listed = put_file(store_, content_.view());
    const auto& manifest = *std::get<ManifestPtr>(listed->content);
    id_ = put_manifest(writer_.environment(), manifest, test_context()).value();
    version_ = version_of(id_, manifest.size_bytes());
    order_.resize(kTensors);
    std::iota(order_.begin(), order_.end(), 0U);
    std::shuffle(order_.begin(), order_.end(), std::mt19937_64(test_seed()));
    // Far from each other and from the start, so that nothing but their number makes them a whole.
    std::swap(order_[0], *std::ranges::find(order_, 40U));
    std::swap(order_[1], *std::ranges::find(order_, 20U));
    std::swap(order_[2], *std::ranges::find(order_, 60U));
  }

  void load_all(Loader& loader) {
    loader.open();
    for (const uint32_t tensor : order_) ASSERT_NO_FATAL_FAILURE(loader.read_tensor(tensor));
  }
  Result<LoadOrder> profile() { return fetch_load_profile(writer_.environment(), id_, kTensors * 16, test_context()); }

  TestStore store_{kChunk};
  TestEnvironment writer_{store_};
  Buffer content_;
  Digest id_;
  VersionPtr version_;
  std::vector<uint32_t> order_;  // of tensors
};

TEST_F(WholeLoads, one_tensor_costs_a_few_chunks_beyond_it) {
  Loader host(store_.objects(), version_, content_.view());
  host.open();
  host.read_tensor(0);
  const uint64_t before = host.fetched();
  host.read_tensor(40);
  EXPECT_LE(host.fetched() - before, 16U + 1);
  EXPECT_EQ(host.profiles_asked(), 0U);
}

TEST_F(WholeLoads, three_tensors_bring_as_much_as_twice_of_what_was_read_and_a_window) {
  Loader host(store_.objects(), version_, content_.view());
  host.open();
  for (size_t i = 0; i < 3; ++i) host.read_tensor(order_[i]);
  EXPECT_TRUE(host.has_tensor(0)) << "the file's order, as there is no profile";
  EXPECT_GT(host.fetched(), 4U * 16);
  EXPECT_LE(host.fetched(), 3U * 3 * 16 + 2 * kWindow);
}

TEST_F(WholeLoads, each_chunk_is_fetched_once_and_most_of_them_before_their_reader_comes) {
  Loader host(store_.objects(), version_, content_.view());
  host.open();
  uint64_t found = 0;
  for (const uint32_t tensor : order_) {
    found += host.has_tensor(tensor) ? 1U : 0U;
    ASSERT_NO_FATAL_FAILURE(host.read_tensor(tensor));
  }
  EXPECT_EQ(host.fetched(), kTensors * 16);
  EXPECT_GE(found, kTensors / 2);
}

TEST_F(WholeLoads, nothing_more_is_fetched_once_the_file_is_closed) {
  Loader host(store_.objects(), version_, content_.view());
  host.open();
  for (size_t i = 0; i < 6; ++i) host.read_tensor(order_[i]);
  host.close();
  host.settle();
  const uint64_t fetched = host.fetched();
  host.settle();
  EXPECT_EQ(host.fetched(), fetched);
  EXPECT_LE(fetched, 3U * 6 * 16 + 2 * kWindow);
}

TEST_F(WholeLoads, a_cold_load_leaves_its_order_and_the_next_host_streams_in_it) {
  Loader first(store_.objects(), version_, content_.view());
  load_all(first);
  EXPECT_EQ(first.profiles_asked(), 1U);
  const auto order = profile();
  ASSERT_TRUE(order) << order.error().to_string();
  for (size_t i = 0; i < 3 * 16; ++i) ASSERT_EQ((*order)[i], order_[i / 16] * 16 + i % 16) << i;

  Loader second(store_.objects(), version_, content_.view());
  second.open();
  for (size_t i = 0; i < 3; ++i) second.read_tensor(order_[i]);
  EXPECT_EQ(second.profiles_asked(), 1U);
  for (size_t i = 3; i < 8; ++i) EXPECT_TRUE(second.has_tensor(order_[i])) << i;
}

TEST_F(WholeLoads, a_profile_that_is_junk_costs_nothing_and_stays) {
  ASSERT_TRUE(store_.objects().put_if_absent(keys::profile(id_), as_bytes("junk"), test_context()));
  Loader host(store_.objects(), version_, content_.view());
  load_all(host);
  EXPECT_EQ(host.fetched(), kTensors * 16);
  EXPECT_EQ(host.profiles_asked(), 1U);
  EXPECT_EQ(profile().error().code(), Errc::corrupt);
}

TEST_F(WholeLoads, a_host_that_may_not_write_leaves_no_profile) {
  Loader host(store_.objects(), version_, content_.view());
  host.options().read_only = true;
  load_all(host);
  EXPECT_EQ(host.profiles_asked(), 1U);
  EXPECT_EQ(profile().error().code(), Errc::not_found);
}

TEST_F(WholeLoads, without_load_profiles_nobody_asks_for_one_or_leaves_one) {
  Loader host(store_.objects(), version_, content_.view());
  host.options().load_profile = false;
  load_all(host);
  EXPECT_EQ(host.profiles_asked(), 0U);
  EXPECT_EQ(profile().error().code(), Errc::not_found);
}

TEST_F(WholeLoads, what_is_here_already_has_no_use_for_a_profile) {
  Loader host(store_.objects(), version_, content_.view());
  load_all(host);
  host.open();
  for (size_t i = 0; i < 6; ++i) host.read_tensor(order_[i]);
  EXPECT_EQ(host.profiles_asked(), 1U);
}

TEST_F(WholeLoads, a_load_in_the_files_own_order_leaves_no_profile) {
  std::ranges::sort(order_);
  Loader host(store_.objects(), version_, content_.view());
  load_all(host);
  EXPECT_EQ(profile().error().code(), Errc::not_found);
}

}  // namespace
}  // namespace cairn
