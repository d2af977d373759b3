// What the records of a directory amount to: snapshots, bounded loads, history.
#include <limits>
#include <thread>

#include "store/directories/record_log.h"
#include "store/format/keys.h"
#include "store/format/record.h"
#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {
namespace {

class DirectoryLogTest : public ::testing::Test {
 protected:
  [[nodiscard]] RecordNumber snapshot_of(RecordNumber number) {
    const auto object = store.objects().get(keys::record(kRootId, number), {}, test_context());
    EXPECT_TRUE(object);
    return *snapshot_of_record(object->view(), kRootId, number);
  }
  void fill(Directory& directory, size_t entries) {
    EXPECT_OK(directory.commit(
        [entries](DirectoryEdit& edit) -> Result<void> {
          for (size_t i = 0; i < entries; ++i) edit.put(fmt::format("shard-{:06}", i), file_entry(1000 + i));
          return {};
        },
        test_context()));
  }

  TestStore store;
  Host a{store, "host-a"};
  Host b{store, "host-b"};
};

TEST_F(DirectoryLogTest, a_snapshot_comes_at_least_every_64_records) {
  const auto root = a.load();
  fill(*root, 5000);
  for (int i = 0; i < 200; ++i) {
    EXPECT_OK(root->commit(creates("n" + std::to_string(i), 9000), test_context()));
    const RecordNumber number = static_cast<RecordNumber>(i) + 3;
    ASSERT_LT(number - snapshot_of(number), kRecordsPerSnapshot);
  }
}

TEST_F(DirectoryLogTest, a_commit_after_the_last_number_there_is_fails_and_puts_nothing) {
  Record last;
  last.directory = kRootId;
  last.number = last.snapshot = std::numeric_limits<RecordNumber>::max();
  last.attributes = Attributes{};
  const Buffer object = encode_record(last, {}, store.format().chunk_size).value();
  ASSERT_TRUE(store.objects().put_if_absent(keys::record(kRootId, last.number), object.view(), test_context()));
  const auto root = a.load();
  EXPECT_EQ(root->commit(creates("n"), test_context()).error().code(), Errc::corrupt);
  EXPECT_EQ(a.puts(), 0U);
}

TEST_F(DirectoryLogTest, one_change_of_a_large_directory_is_a_small_delta) {
  const auto root = a.load();
  fill(*root, 5000);
  EXPECT_OK(root->commit(creates("one"), test_context()));
  const auto delta = store.objects().head(keys::record(kRootId, 3), test_context());
  ASSERT_TRUE(delta);
  EXPECT_LT(delta->size_bytes, 400U);
}

TEST_F(DirectoryLogTest, deltas_never_outweigh_the_snapshot_they_follow) {
  const auto root = a.load();
  uint64_t snapshot_bytes = 0;
  uint64_t delta_bytes = 0;
  for (RecordNumber number = 2; number < 100; ++number) {
    EXPECT_OK(root->commit(creates("n" + std::to_string(number)), test_context()));
    const uint64_t size = store.objects().head(keys::record(kRootId, number), test_context())->size_bytes;
    const bool is_snapshot = snapshot_of(number) == number;
    snapshot_bytes = is_snapshot ? size : snapshot_bytes;
    delta_bytes = is_snapshot ? 0 : delta_bytes + size;
    EXPECT_TRUE(number == 2 || delta_bytes <= snapshot_bytes);
  }
}

TEST_F(DirectoryLogTest, loading_takes_one_listing_and_the_records_since_the_snapshot) {
  const auto root = a.load();
  fill(*root, 5000);  // record 2, a snapshot
  for (int i = 0; i < 150; ++i) EXPECT_OK(root->commit(creates("n" + std::to_string(i)), test_context()));
  const auto loaded = b.load();
  EXPECT_EQ(names(*loaded).size(), 5150U);
  EXPECT_EQ(b.lists(), 1U);
  EXPECT_LE(b.gets(), kRecordsPerSnapshot);
  EXPECT_EQ(b.gets(), 152 - snapshot_of(152) + 1);
}

TEST_F(DirectoryLogTest, a_load_makes_progress_when_every_thread_of_the_pool_is_busy) {
  const auto root = a.load();
  fill(*root, 1000);
  for (int i = 0; i < 20; ++i) EXPECT_OK(root->commit(creates("n" + std::to_string(i)), test_context()));
  const auto gate = std::make_shared<Gate>();
  for (int i = 0; i < 16; ++i) b.environment().io.submit_urgent([gate] { (void)gate->pass(test_context()); });
  EXPECT_EQ(names(*b.load()).size(), 1020U);
  gate->open();
}

TEST_F(DirectoryLogTest, a_host_that_missed_whole_snapshots_reads_from_the_newest_one_only) {
  const auto here = a.load();
  const auto there = b.load();
  EXPECT_OK(here->commit_soon(creates("pending")));
  for (int i = 0; i < 300; ++i) EXPECT_OK(there->commit(creates("n" + std::to_string(i)), test_context()));
  const uint64_t before = a.gets();
  EXPECT_OK(here->refresh(std::chrono::nanoseconds(0), test_context()));
  EXPECT_LE(a.gets() - before, kRecordsPerSnapshot + 8);
  EXPECT_EQ(names(*here).size(), 301U);
  EXPECT_OK(here->flush(test_context()));
  EXPECT_OK(there->refresh(std::chrono::nanoseconds(0), test_context()));
  EXPECT_EQ(names(*there).size(), 301U);
}

TEST_F(DirectoryLogTest, a_hundred_thousand_entries_load_list_and_change) {
  const auto root = a.load();
  fill(*root, 100'000);
  const uint64_t before = a.puts();
  for (int i = 0; i < 10; ++i) EXPECT_OK(root->commit(creates("late-" + std::to_string(i)), test_context()));
  EXPECT_EQ(a.puts() - before, 10U);
  const auto loaded = b.load();
  EXPECT_EQ(loaded->list()->size(), 100'010U);
  EXPECT_EQ(loaded->find("shard-099999")->id, 100'999U);
}

TEST_F(DirectoryLogTest, history_survives_deltas_snapshots_and_reloading) {
  const auto root = a.load();
  EXPECT_OK(root->commit(writes("model", "step 0"), test_context()));
  for (int i = 1; i < 150; ++i) {
    EXPECT_OK(root->commit(publishes("model", "step " + std::to_string(i), i + 1), test_context()));
  }
  const EntryPtr model = b.load()->find("model");
  EXPECT_EQ(model->versions.size(), 64U);
  EXPECT_EQ(model->current_number(), 150U);
  EXPECT_EQ(content_of(model), "step 149");
}

// Somebody who can write to the store has put something else under the number of the next record.
class RefusedRecordsTest : public DirectoryLogTest {
 protected:
  void put(RecordNumber number, std::string_view bytes) {
    EXPECT_OK(store.objects().put_if_absent(keys::record(kRootId, number), as_bytes(bytes), test_context()));
  }
  // How many gets of records an attempt to load the directory takes.
  uint64_t gets_of_load() {
    const uint64_t before = b.gets();
    last = Directory::load(b.environment(), kRootId, test_context());
    return b.gets() - before;
  }

  Result<std::shared_ptr<Directory>> last = fail(Errc::not_found, "not loaded yet");
};

TEST_F(RefusedRecordsTest, what_was_refused_twice_is_not_read_for_each_who_asks) {
  put(2, "not a record");
  EXPECT_GT(gets_of_load(), 0U);
  EXPECT_GT(gets_of_load(), 0U) << "it may have been damaged on its way";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gets_of_load(), 0U);
  EXPECT_EQ(last.error().code(), Errc::corrupt);
}

TEST_F(RefusedRecordsTest, a_record_in_the_middle_is_not_read_either) {
  const auto root = a.load();
  EXPECT_OK(root->commit(creates("one"), test_context()));
  EXPECT_OK(root->commit(creates("two"), test_context()));
  const std::string key = keys::record(kRootId, 2);
  const auto whole = store.objects().get(key, {}, test_context());
  ASSERT_TRUE(whole);
  EXPECT_OK(store.objects().remove({key}, test_context()));
  put(2, std::string(as_text(whole->view())) + "x");
  for (int i = 0; i < 2; ++i) EXPECT_GT(gets_of_load(), 0U);
  EXPECT_EQ(gets_of_load(), 0U);
  EXPECT_FALSE(last);
  EXPECT_OK(store.objects().remove({key}, test_context()));
  put(2, as_text(whole->view()));
  EXPECT_GT(gets_of_load(), 0U) << "another object stands there";
  EXPECT_TRUE(last);
}

TEST_F(RefusedRecordsTest, a_newer_record_and_time_are_reasons_to_read) {
  put(2, "not a record");
  for (int i = 0; i < 3; ++i) gets_of_load();
  put(3, "nor is this");
  for (int i = 0; i < 2; ++i) EXPECT_GT(gets_of_load(), 0U);
  EXPECT_EQ(gets_of_load(), 0U);
  b.wired.clock().advance(std::chrono::seconds(61));
  EXPECT_GT(gets_of_load(), 0U);
}

TEST_F(RefusedRecordsTest, who_has_the_directory_does_not_read_it_for_each_look_either) {
  const auto root = b.load();
  put(2, "not a record");
  const auto gets_of_look = [&] {
    const uint64_t before = b.gets();
    EXPECT_EQ(root->refresh(std::chrono::nanoseconds(0), test_context()).error().code(), Errc::corrupt);
    return b.gets() - before;
  };
  for (int i = 0; i < 2; ++i) EXPECT_GT(gets_of_look(), 0U);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(gets_of_look(), 0U);
}

TEST(RefusedRecordsStore, as_many_are_remembered_as_there_is_room_for) {
  RefusedRecords refused;
  for (EntryId id = 1; id <= 5000; ++id) {
    for (int i = 0; i < 2; ++i) refused.add(id, {.number = 2, .error = Error(Errc::corrupt, "x")}, SteadyTime());
  }
  size_t remembered = 0;
  for (EntryId id = 1; id <= 5000; ++id) remembered += refused.find(id, SteadyTime()) ? 1 : 0;
  EXPECT_EQ(remembered, 1024U);
}

}  // namespace
}  // namespace cairn
