#include <functional>

#include "tests/support/damage.h"
#include "tests/unit/store/check/check_fixture.h"

namespace cairn {
namespace {

// Passes everything on, and lets a test act once before a listing or a get of a chosen kind.
class InterruptedStore final : public ObjectStore {
 public:
  explicit InterruptedStore(ObjectStore& inner) : inner_(inner) {}
  // `act` runs before the first list whose prefix starts with `prefix`.
  void before_list(std::string prefix, std::function<void()> act) {
    prefix_ = std::move(prefix);
    act_ = std::move(act);
  }

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override {
    return inner_.get(key, range, context);
  }
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override {
    return inner_.put_if_absent(key, bytes, context);
  }
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override {
    return inner_.head(key, context);
  }
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override {
    if (act_ && prefix.starts_with(prefix_)) std::exchange(act_, nullptr)();
    return inner_.list(prefix, start_after, limit, context);
  }
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override {
    return inner_.remove(keys, context);
  }
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return inner_.way(); }

 private:
  ObjectStore& inner_;
  std::string prefix_;
  std::function<void()> act_;
};

TEST_F(CheckTest, undamaged_store_is_clean_and_counted) {
  const CheckReport report = check(true);
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.directories, 3U);
  EXPECT_EQ(report.records, 4U);
  EXPECT_EQ(report.files, 2U);
  EXPECT_EQ(report.versions, 2U);
  EXPECT_EQ(report.manifests, 1U);
  EXPECT_EQ(report.chunks, 3U);
  EXPECT_EQ(report.chunk_bytes, kChunkSize + 1000 + 5000 + 3 * kChunkHeaderBytes);
  EXPECT_EQ(report.unreferenced_chunks, 0U);
}

TEST_F(CheckTest, a_report_says_what_it_has_not_looked_at) {
  const auto says = [](const CheckReport& report, const std::string& what) {
    return std::ranges::any_of(report.not_looked_at,
                               [&](const std::string& line) { return line.find(what) != std::string::npos; });
  };
  EXPECT_TRUE(says(check(), "bytes of 3 chunks"));
  EXPECT_FALSE(says(check(true), "bytes of"));
  EXPECT_FALSE(says(check(true), "below directories"));
  EXPECT_TRUE(says(check(true), "load profiles"));
  put_chunk(noise(100, 9), 0);
  EXPECT_TRUE(says(check(true), "bytes of 1 chunk of no version"));
  flip_last_byte(keys::record(kNested, 1));
  EXPECT_TRUE(says(check(true), "below directories"));
}

TEST_F(CheckTest, place_that_is_no_store_is_an_error) {
  MemoryObjectStore empty;
  EXPECT_EQ(check_store(empty, {}, test_context()).error().code(), Errc::not_found);
}

TEST_F(CheckTest, missing_chunk_is_a_loss_of_its_file) {
  const std::string key = keys::chunk(weights_->chunks()[1].id);
  remove(key);
  expect_finding(check(), true, key, "/models/weights");
  expect_finding(check(true), true, key, "/models/weights");
}

TEST_F(CheckTest, chunk_of_an_impossible_size_is_found_without_reading_it) {
  const std::string key = keys::chunk(small_->chunks()[0].id);
  replace(key, as_bytes("short"));
  expect_finding(check(), true, key, "/models/nested/small");
}

TEST_F(CheckTest, truncated_chunk_is_found_by_reading_data) {
  const std::string key = keys::chunk(small_->chunks()[0].id);
  truncate(key);
  expect_finding(check(true), true, key, "/models/nested/small");
}

TEST_F(CheckTest, flipped_bit_of_a_chunk_is_found_by_reading_data) {
  const std::string key = keys::chunk(small_->chunks()[0].id);
  flip_last_byte(key);
  EXPECT_TRUE(check().clean());
  expect_finding(check(true), true, key, "/models/nested/small");
}

TEST_F(CheckTest, wrong_checksum_in_a_manifest_is_found_by_reading_data) {
  ChunkRef chunk = small_->chunks()[0];
  chunk.checksum = xxh3_128(as_bytes("other"));
  change(kNested, {{"small", file(kSmall, {version(manifest_of({chunk}))})}});
  expect_finding(check(true), true, keys::chunk(chunk.id), "/models/nested/small");
}

TEST_F(CheckTest, missing_and_damaged_manifests_are_losses) {
  const std::string key = keys::manifest(manifest_id_);
  const Buffer intact = get(key);
  remove(key);
  expect_finding(check(), true, key, "/models/weights");
  put(key, intact.view());
  truncate(key);
  expect_finding(check(), true, key, "/models/weights");
  replace(key, intact.view());
  flip_last_byte(key);
  expect_finding(check(), true, key, "/models/weights");
}

TEST_F(CheckTest, manifest_of_another_size_than_its_version_is_a_loss) {
  Version wrong = *version(manifest_id_);
  wrong.size_bytes += 1;
  change(kModels, {{"weights", file(kWeights, {std::make_shared<const Version>(wrong)})}});
  expect_finding(check(), true, keys::manifest(manifest_id_), "/models/weights");
}

TEST_F(CheckTest, damage_to_an_old_version_names_its_number) {
  const ChunkRef lost = put_chunk(noise(700, 9), 0);
  change(kModels, {{"weights", file(kWeights, {version(manifest_of({lost})), version(manifest_id_)})}});
  remove(keys::chunk(lost.id));
  expect_finding(check(), true, keys::chunk(lost.id), "/models/weights (version 1)");
}

TEST_F(CheckTest, history_of_a_deleted_file_is_checked_too) {
  Entry deleted = *file(kWeights, {version(manifest_id_)});
  deleted.deleted = 1;
  change(kModels, {{"weights", std::make_shared<const Entry>(deleted)}});
  EXPECT_TRUE(check(true).clean());
  remove(keys::manifest(manifest_id_));
  expect_finding(check(), true, keys::manifest(manifest_id_), "/models/weights (version 1)");
}

TEST_F(CheckTest, history_under_a_symlink_is_checked_too) {
  Entry link = *file(kWeights, {version(manifest_id_)});
  link.kind = Kind::symlink;
  link.target = "elsewhere";
  change(kModels, {{"weights", std::make_shared<const Entry>(link)}});
  EXPECT_TRUE(check(true).clean());
  remove(keys::manifest(manifest_id_));
  expect_finding(check(), true, keys::manifest(manifest_id_), "/models/weights (version 1)");
}

TEST_F(CheckTest, damaged_records_are_losses_of_their_directory) {
  const std::string key = keys::record(kModels, 1);
  const Buffer intact = get(key);
  truncate(key);
  expect_finding(check(), true, key, "/models");
  replace(key, intact.view());
  flip_last_byte(key);
  expect_finding(check(), true, key, "/models");
}

TEST_F(CheckTest, missing_record_in_a_chain_is_a_loss) {
  change(kModels, {{"a", file(1001, {})}});
  change(kModels, {{"b", file(1002, {})}});
  remove(keys::record(kModels, 2));
  expect_finding(check(), true, keys::record(kModels, 2), "/models");
}

TEST_F(CheckTest, directory_without_records_is_a_loss) {
  remove(keys::record(kNested, 1));
  expect_finding(check(), true, keys::directory(kNested), "/models/nested");
}

TEST_F(CheckTest, directory_that_lost_its_name_is_a_loss) {
  change(kModels, {{"nested", nullptr}});
  expect_finding(check(), true, keys::directory(kNested), "");
}

TEST_F(CheckTest, only_the_top_of_a_lost_subtree_is_reported) {
  change(kRootId, {{"models", nullptr}});
  expect_finding(check(), true, keys::directory(kModels), "");
}

TEST_F(CheckTest, directories_in_a_ring_are_reported_once) {
  change(kRootId, {{"models", nullptr}});
  change(kNested, {{"models", directory(kModels)}});
  EXPECT_EQ(check().findings.size(), 1U);
}

TEST_F(CheckTest, what_an_interrupted_mkdir_or_save_left_is_only_counted) {
  put_directory(0xdead, {});
  put_chunk(noise(100, 77), 0);
  const CheckReport report = check(true);
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.unreferenced_directories, 1U);
  EXPECT_EQ(report.unreferenced_chunks, 1U);
}

TEST_F(CheckTest, rmdir_that_has_not_freed_the_name_is_clean) {
  change(kNested, {{"small", nullptr}});
  put_record(kNested, 3, 1, {}, true);
  EXPECT_TRUE(check().clean());
}

TEST_F(CheckTest, one_id_in_two_places_is_untidy) {
  change(kModels, {{"copy", directory(kNested)}});
  expect_finding(check(), false, keys::directory(kModels), "/models");
  change(kModels, {{"copy", nullptr}});
  change(kRootId, {{"again", file(kWeights, {})}});
  EXPECT_EQ(check().findings.size(), 1U);
}

TEST_F(CheckTest, move_under_way_explains_one_id_in_two_places) {
  Entry moved = *file(kSmall, {version(small_)});
  moved.move = Move{.directory = kNested, .name = "small", .replacement = nullptr};
  change(kModels, {{"small", std::make_shared<const Entry>(moved)}});
  EXPECT_TRUE(check().clean());
}

TEST_F(CheckTest, more_versions_than_the_store_keeps_are_untidy) {
  change(kModels, {{"weights", file(kWeights, std::vector<VersionPtr>(65, version(manifest_id_)))}});
  expect_finding(check(), false, keys::directory(kModels), "/models/weights");
}

TEST_F(CheckTest, file_published_while_checking_causes_no_finding) {
  InterruptedStore store(objects_);
  store.before_list(keys::directory(kNested), [&] {
    const ChunkRef chunk = put_chunk(noise(900, 5), 0);
    change(kNested, {{"late", file(0xf9, {version(manifest_of({chunk}))})}});
    change(kModels, {{"later", file(0xfa, {version(manifest_of({chunk}))})}});
  });
  EXPECT_TRUE(check(store, true).clean());
}

TEST_F(CheckTest, directory_filled_while_checking_causes_no_finding) {
  InterruptedStore store(objects_);
  store.before_list(keys::kChunks, [] {});
  store.before_list("dirs/" + std::string(15, '0') + "1/", [] {});
  store.before_list(keys::directory(kNested), [&] {
    put_directory(0xd9, {{"inside", file(0xf9, {})}});
    change(kRootId, {{"new", directory(0xd9)}});
  });
  EXPECT_TRUE(check(store, false).clean());
}

TEST_F(CheckTest, rename_between_directories_while_checking_causes_no_finding) {
  InterruptedStore store(objects_);
  store.before_list(keys::directory(kNested), [&] {
    change(kNested, {{"weights", file(kWeights, {version(manifest_id_)})}});
    change(kModels, {{"weights", nullptr}});
  });
  EXPECT_TRUE(check(store, false).clean());
}

TEST_F(CheckTest, remote_that_fails_ends_the_check_with_its_error) {
  std::stop_source stop;
  stop.request_stop();
  const auto context = RequestContext::within(std::chrono::seconds(5), Cause::maintenance, stop.get_token());
  EXPECT_FALSE(check_store(objects_, {}, context));
}

TEST_F(CheckTest, progress_ends_with_everything_done) {
  CheckProgress last;
  CheckOptions options{.read_data = true, .progress = [&](const CheckProgress& progress) { last = progress; }};
  ASSERT_TRUE(check_store(objects_, options, test_context()));
  EXPECT_EQ(last.objects_done, last.objects_total);
  EXPECT_GT(last.bytes_done, kChunkSize);
}

}  // namespace
}  // namespace cairn
