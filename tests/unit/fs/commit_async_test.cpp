// Closes that return before their commit: durable here, in order, many to a record.
#include <thread>

#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CommitAsync : public testing::Test {
 protected:
  Result<void> sync() { return a.files().sync_all(test_context()); }
  void write(const std::string& path, std::string_view content) {
    const auto written = a.write(path, content);
    EXPECT_TRUE(written) << path << ": " << written.error().to_string();
  }
  std::string read(TestHost& host, const std::string& path) { return content_or_error(host.read(path)); }
  HandleId open(const std::string& path, int flags) {
    const auto handle = a.open(path, flags);
    EXPECT_TRUE(handle) << path << ": " << handle.error().to_string();
    return handle.value_or(0);
  }
  [[nodiscard]] uint64_t records() const { return a_objects.count(ObjectOperation::put_if_absent, "dirs/"); }
  std::vector<std::string> list(TestHost& host, const std::string& path) {
    auto names = host.list(path);
    return names ? *names : std::vector<std::string>{"<" + names.error().to_string() + ">"};
  }
  static FaultRule from_the_second_record_on() {
    return {.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .nth = 2, .times = kEveryTime};
  }
  // Nothing of host-a reaches the store.
  void cut_off() { a_objects.add({.operation = ObjectOperation::put_if_absent, .times = kEveryTime}); }

  TestStore store;
  FaultyObjectStore a_objects{store.objects()};
  TestHost a{a_objects, {.host = "host-a", .commit_async = true}};
  TestHost b{store.objects(), {.host = "host-b"}};
};

TEST_F(CommitAsync, closes_of_one_directory_share_records) {
  const uint64_t before = records();
  for (int i = 0; i < 300; ++i) write(fmt::format("f{}", i), fmt::format("content {}", i));
  EXPECT_EQ(read(a, "f299"), "content 299");
  ASSERT_TRUE(sync());
  EXPECT_LT(records() - before, 30U);
  EXPECT_EQ(list(b, "").size(), 300U);
  EXPECT_EQ(read(b, "f0"), "content 0");
  EXPECT_EQ(read(b, "f299"), "content 299");
  EXPECT_EQ(a.files().stats().queue.closes, 0U);
}

TEST_F(CommitAsync, a_close_needs_no_store_and_says_what_waits) {
  cut_off();
  write("f", "content");
  EXPECT_EQ(read(a, "f"), "content");
  EXPECT_EQ(a.stat("f")->attributes.size_bytes, 7U);
  EXPECT_THAT(list(b, ""), IsEmpty());
  const QueueStats queue = a.files().stats().queue;
  EXPECT_EQ(queue.closes, 1U);
  EXPECT_EQ(queue.bytes, 7U);
  EXPECT_EQ(a.files().stats().kept_drafts, 0U);
  ASSERT_EQ(a.files().unpublished().size(), 1U);
  EXPECT_EQ(a.files().unpublished()[0].state, "queued");
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "f"), "content");
}

TEST_F(CommitAsync, a_killed_daemon_loses_no_close_and_the_next_one_publishes_them) {
  ASSERT_TRUE(a.mkdir("d"));
  cut_off();
  write("d/small", "small");
  write("d/large", std::string(500'000, 'L'));
  write("d/small", "small, again");
  const HandleId touched = open("d/empty", O_CREAT | O_WRONLY);
  EXPECT_TRUE(a.close(touched));
  a_objects.heal();
  a.kill_and_restart();
  EXPECT_EQ(read(a, "d/small"), "small, again");
  EXPECT_EQ(read(b, "d/small"), "small, again");
  EXPECT_EQ(read(b, "d/large"), std::string(500'000, 'L'));
  EXPECT_THAT(list(b, "d"), ElementsAre("empty", "large", "small"));
  EXPECT_THAT(list(b, "d/.versions/small"), ElementsAre("1", "2"));
  EXPECT_THAT(a.files().unpublished(), IsEmpty());
}

TEST_F(CommitAsync, a_new_file_that_waits_is_here_after_a_restart_and_can_be_saved_again) {
  ASSERT_TRUE(a.mkdir("d"));
  write("d/deleted before", "of old");
  ASSERT_TRUE(sync());
  ASSERT_TRUE(a.unlink("d/deleted before"));
  ASSERT_TRUE(sync());
  cut_off();
  write("d/new", "first");
  write("d/renewed", "first");
  write("d/removed", "first");
  write("d/deleted before", "new");
  a.kill_and_restart();
  EXPECT_THAT(list(a, "d"), ElementsAre("deleted before", "new", "removed", "renewed"));
  EXPECT_THAT(list(b, "d"), IsEmpty());
  EXPECT_EQ(read(a, "d/new"), "first");
  EXPECT_EQ(read(a, "d/deleted before"), "new");
  write("d/renewed", "second");
  EXPECT_TRUE(a.unlink("d/removed"));
  a.kill_and_restart();
  EXPECT_EQ(read(a, "d/renewed"), "second");
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "d/new"), "first");
  EXPECT_EQ(read(b, "d/renewed"), "second");
  EXPECT_EQ(read(b, "d/deleted before"), "new");
  EXPECT_THAT(list(b, "d/.versions/renewed"), ElementsAre("1", "2"));
  EXPECT_THAT(list(b, "d/.versions/deleted before"), ElementsAre("1", "2"));
  EXPECT_THAT(list(b, "d"), ElementsAre("deleted before", "new", "renewed"));
  EXPECT_THAT(a.files().unpublished(), IsEmpty());
}

TEST_F(CommitAsync, what_takes_an_unlinked_files_place_is_what_is_seen_after_a_restart) {
  write("f", "first");
  ASSERT_TRUE(sync());
  cut_off();
  EXPECT_TRUE(a.unlink("f"));
  write("f", "second, newer");
  a.kill_and_restart();
  EXPECT_EQ(read(a, "f"), "second, newer");
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "f"), "second, newer");
  EXPECT_THAT(list(b, ".versions/f"), ElementsAre("1", "2"));
  EXPECT_THAT(a.files().unpublished(), IsEmpty());
}

TEST_F(CommitAsync, an_order_of_an_earlier_process_is_nobody_elses) {
  write("taken", "a file");
  ASSERT_TRUE(b.mkdir("taken"));
  EXPECT_EQ(errno_of(sync()), EIO);  // undecided: the name is a directory
  a.kill_and_restart();
  ASSERT_EQ(a.files().unpublished().size(), 1U);
  const uint64_t undecided = a.files().unpublished().at(0).number;
  cut_off();
  for (const std::string name : {"1", "2", "3", "4"}) write(name, "precious");
  EXPECT_TRUE(a.files().discard_kept(undecided));
  EXPECT_EQ(a.files().stats().queue.closes, 4U);
  a_objects.heal();
  EXPECT_TRUE(sync());
  for (const std::string name : {"1", "2", "3", "4"}) EXPECT_EQ(read(b, name), "precious");
}

// Its draft is the first by number, since it was opened first; and many closes do not wait for more to come.
TEST_F(CommitAsync, a_marker_that_was_closed_last_is_published_last_after_a_kill) {
  ASSERT_TRUE(a.mkdir("shards"));
  cut_off();
  const HandleId marker = open("DONE", O_CREAT | O_WRONLY);
  ASSERT_TRUE(a.pwrite(marker, 0, "all saved"));
  for (int i = 0; i < 1100; ++i) write(fmt::format("shards/{}", i), "shard");
  EXPECT_TRUE(a.close(marker));
  a_objects.heal();
  a_objects.add(from_the_second_record_on());
  a.kill_and_restart();
  EXPECT_NE(read(b, "DONE"), "all saved") << "one record was committed, and it is not that of the last";
  EXPECT_FALSE(list(b, "shards").empty());
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "DONE"), "all saved");
}

TEST_F(CommitAsync, a_discarded_new_file_is_gone) {
  cut_off();
  write("f", "bytes");
  write("g", "bytes");
  a.kill_and_restart();
  for (const UnpublishedFile& file : a.files().unpublished()) {
    if (file.path != "f") continue;
    EXPECT_TRUE(a.files().discard_kept(file.number));
  }
  EXPECT_THAT(list(a, ""), ElementsAre("g"));
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_THAT(list(a, ""), ElementsAre("g"));
  EXPECT_THAT(list(b, ""), ElementsAre("g"));
}

TEST_F(CommitAsync, nothing_passes_what_the_whole_store_refuses) {
  ASSERT_TRUE(a.mkdir("x"));
  for (const Errc refusal : {Errc::invalid_argument, Errc::unsupported, Errc::io, Errc::permission_denied}) {
    a_objects.heal();
    a_objects.add({.operation = ObjectOperation::put_if_absent,
                   .key_prefix = "dirs/",
                   .times = 1,
                   .effect = FaultEffect::fail_before,
                   .error = refusal});
    write("x/shard", "shard");
    write("DONE", "marker");
    EXPECT_FALSE(sync());
    EXPECT_EQ(a.files().stats().queue.closes, 2U) << to_string(refusal);
    EXPECT_TRUE(sync());
    EXPECT_EQ(a.files().stats().kept_drafts, 0U) << to_string(refusal);
  }
}

TEST_F(CommitAsync, other_hosts_see_closes_and_changes_in_the_order_in_which_they_returned) {
  ASSERT_TRUE(a.mkdir("x"));
  ASSERT_TRUE(a.mkdir("y"));
  write("x/1", "1");
  write("y/2", "2");
  const HandleId marker = open("x/DONE", O_CREAT | O_WRONLY);
  EXPECT_TRUE(a.close(marker));
  write("y/3", "3");
  for (const auto& [in_x, in_y] : std::vector<std::pair<size_t, size_t>>{{1, 0}, {1, 1}, {2, 1}, {2, 2}}) {
    a_objects.heal();
    a_objects.add(from_the_second_record_on());
    EXPECT_EQ(errno_of(sync()), in_x + in_y < 4 ? EIO : 0);
    EXPECT_EQ(list(b, "x").size(), in_x);
    EXPECT_EQ(list(b, "y").size(), in_y);
  }
}

TEST_F(CommitAsync, what_was_closed_before_a_crash_is_published_in_order_after_it) {
  ASSERT_TRUE(a.mkdir("x"));
  ASSERT_TRUE(a.mkdir("y"));
  cut_off();
  const HandleId opened_first = open("y/last", O_CREAT | O_WRONLY);
  ASSERT_TRUE(a.pwrite(opened_first, 0, "last"));
  write("x/first", "first");
  EXPECT_TRUE(a.close(opened_first));
  a_objects.heal();
  a_objects.add(from_the_second_record_on());
  a.kill_and_restart();
  EXPECT_THAT(list(b, "x"), ElementsAre("first"));
  EXPECT_THAT(list(b, "y"), IsEmpty());
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "y/last"), "last");
}

TEST_F(CommitAsync, a_second_close_of_a_queued_file_is_a_version_of_its_own_and_one_open_file_has_one) {
  cut_off();
  write("two", "first");
  write("two", "second");
  const HandleId handle = open("one", O_CREAT | O_WRONLY);
  ASSERT_TRUE(a.pwrite(handle, 0, "begun"));
  ASSERT_TRUE(a.files().flush(handle, test_context()));
  ASSERT_TRUE(a.pwrite(handle, 0, "ended"));
  EXPECT_TRUE(a.close(handle));
  EXPECT_EQ(read(a, "one"), "ended");
  a_objects.heal();
  ASSERT_TRUE(sync());
  EXPECT_THAT(list(b, ".versions/two"), ElementsAre("1", "2"));
  EXPECT_EQ(read(b, "two"), "second");
  EXPECT_THAT(list(b, ".versions/one"), ElementsAre("1"));
  EXPECT_EQ(read(b, "one"), "ended");
}

TEST_F(CommitAsync, fsync_waits_for_the_store_and_for_what_was_closed_before) {
  cut_off();
  write("before", "before");
  const HandleId handle = open("f", O_CREAT | O_WRONLY);
  ASSERT_TRUE(a.pwrite(handle, 0, "synced"));
  EXPECT_EQ(errno_of(a.files().sync(handle, test_context())), EIO);
  a_objects.heal();
  EXPECT_TRUE(a.files().sync(handle, test_context()));
  EXPECT_EQ(read(b, "before"), "before");
  EXPECT_EQ(read(b, "f"), "synced");
  EXPECT_TRUE(a.close(handle));
}

TEST_F(CommitAsync, a_rename_waits_for_what_was_closed_before_and_fails_with_it) {
  ASSERT_TRUE(a.mkdir("tmp"));
  cut_off();
  write("tmp/shard", "shard");
  EXPECT_EQ(errno_of(a.rename("tmp", "ckpt")), EIO);
  a_objects.heal();
  ASSERT_TRUE(a.rename("tmp", "ckpt"));
  EXPECT_EQ(read(b, "ckpt/shard"), "shard");
}

TEST_F(CommitAsync, unlinking_a_queued_file_gives_it_up) {
  ASSERT_TRUE(a.write("kept", "kept"));
  ASSERT_TRUE(sync());
  cut_off();
  write("f", "unwanted");
  EXPECT_EQ(a.files().stats().queue.closes, 1U);
  EXPECT_TRUE(a.unlink("f"));
  EXPECT_EQ(a.files().stats().queue.closes, 0U);
  EXPECT_EQ(errno_of(a.stat("f")), ENOENT);
  a_objects.heal();
  a.kill_and_restart();
  ASSERT_TRUE(sync());
  EXPECT_THAT(list(b, ""), ElementsAre("kept"));
}

TEST_F(CommitAsync, a_name_that_was_freed_in_order_can_be_taken_at_once) {
  write("name", "file");
  ASSERT_TRUE(sync());
  ASSERT_TRUE(a.unlink("name"));
  ASSERT_TRUE(a.mkdir("name"));
  ASSERT_TRUE(a.write("name/f", "below"));
  ASSERT_TRUE(a.unlink("name/f"));
  ASSERT_TRUE(a.rmdir("name"));
  ASSERT_TRUE(a.symlink("target", "name"));
  EXPECT_EQ(b.readlink("name").value_or(""), "target");
}

TEST_F(CommitAsync, an_exclusive_create_is_decided_on_this_host) {
  cut_off();
  const HandleId handle = open("lock", O_CREAT | O_EXCL | O_WRONLY);
  EXPECT_EQ(errno_of(a.open("lock", O_CREAT | O_EXCL | O_WRONLY)), EEXIST);
  EXPECT_TRUE(a.close(handle));
  ASSERT_TRUE(b.write("lock", "of b"));
  a_objects.heal();
  ASSERT_TRUE(sync());
  EXPECT_EQ(read(b, "lock"), "of b");
}

TEST_F(CommitAsync, what_cannot_be_published_is_passed_by_others_and_told_once) {
  ASSERT_TRUE(a.mkdir("d"));
  cut_off();
  write("d/f", "of a");
  write("other", "other");
  ASSERT_TRUE(b.mkdir("d/f"));
  a_objects.heal();
  const auto told = sync();
  ASSERT_FALSE(told);
  EXPECT_NE(told.error().message().find("d/f"), std::string::npos) << told.error().message();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "other"), "other");
  ASSERT_EQ(a.files().unpublished().size(), 1U);
  EXPECT_EQ(a.files().unpublished()[0].state, "undecided");
}

TEST_F(CommitAsync, the_next_close_of_a_file_tells_once_what_became_of_the_one_before) {
  const HandleId handle = open("f", O_CREAT | O_WRONLY);
  ASSERT_TRUE(a.pwrite(handle, 0, "first"));
  cut_off();
  ASSERT_TRUE(a.files().flush(handle, test_context()));
  ASSERT_TRUE(b.mkdir("f"));
  a_objects.heal();
  EXPECT_FALSE(sync());
  EXPECT_EQ(errno_of(a.files().flush(handle, test_context())), EIO);
  EXPECT_EQ(errno_of(a.files().flush(handle, test_context())), 0);
  a.files().release(handle);
}

TEST_F(CommitAsync, an_orderly_end_publishes_everything) {
  write("f", "closed");
  const HandleId handle = open("g", O_CREAT | O_WRONLY);
  ASSERT_TRUE(a.pwrite(handle, 0, "open"));
  a.restart();
  EXPECT_EQ(read(b, "f"), "closed");
  EXPECT_EQ(read(b, "g"), "open");
}

TEST_F(CommitAsync, an_empty_file_has_no_history_and_keeps_its_time) {
  const HandleId handle = open("empty", O_CREAT | O_WRONLY);
  ASSERT_TRUE(a.set_attributes("empty", {.mtime = 1'000'000'000}));
  EXPECT_TRUE(a.close(handle));
  EXPECT_EQ(a.stat("empty")->attributes.mtime, 1'000'000'000);
  ASSERT_TRUE(sync());
  EXPECT_EQ(b.stat("empty")->attributes.mtime, 1'000'000'000);
  EXPECT_THAT(list(b, ".versions"), IsEmpty());
}

TEST_F(CommitAsync, closes_by_many_threads_are_all_there) {
  std::vector<std::jthread> writers;
  for (int t = 0; t < 8; ++t) {
    writers.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) write(fmt::format("f{}-{}", t, i), "content");
    });
  }
  writers.clear();
  ASSERT_TRUE(sync());
  EXPECT_EQ(list(b, "").size(), 160U);
}

TEST_F(CommitAsync, a_new_file_that_is_emptied_while_it_waits_is_empty) {
  cut_off();
  write("f", "secret");
  const HandleId handle = open("f", O_WRONLY | O_TRUNC);
  EXPECT_TRUE(a.close(handle));
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(a, "f"), "");
  EXPECT_EQ(read(b, "f"), "");
  EXPECT_EQ(read(b, ".versions/f/1"), "secret");
}

TEST_F(CommitAsync, a_name_that_was_deleted_once_is_no_obstacle_to_what_a_killed_daemon_leaves) {
  write("f", "old");
  ASSERT_TRUE(sync());
  ASSERT_TRUE(a.unlink("f"));
  ASSERT_TRUE(sync());
  cut_off();
  write("f", "new");
  const HandleId marker = open("marker", O_CREAT | O_WRONLY);
  EXPECT_TRUE(a.close(marker));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "f"), "new");
  EXPECT_EQ(read(b, "marker"), "");
  EXPECT_EQ(read(b, ".versions/f/1"), "old");
}

// The unlink was in the queue, too, and is lost with the daemon; what was written for it is not.
TEST_F(CommitAsync, what_is_written_in_place_of_an_unlinked_file_is_published_after_a_kill) {
  write("f", "old");
  ASSERT_TRUE(sync());
  cut_off();
  ASSERT_TRUE(a.unlink("f"));
  write("f", "new");
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(read(b, "f"), "new");
  EXPECT_EQ(read(b, ".versions/f/1"), "old");
}

TEST_F(CommitAsync, rights_that_are_taken_away_from_what_waits_are_gone_after_a_kill) {
  cut_off();
  write("key", "secret");
  ASSERT_TRUE(a.set_attributes("key", {.mode = 0600}));
  ASSERT_TRUE(a.set_attributes("key", {.uid = 7, .gid = 7}));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(b.stat("key")->attributes.mode, 0600U);
  EXPECT_EQ(b.stat("key")->attributes.uid, 7U);
}

TEST_F(CommitAsync, what_another_host_deletes_while_a_close_waits_has_it_as_the_end_of_its_history) {
  write("f", "one");
  ASSERT_TRUE(sync());
  cut_off();
  write("f", "two");
  ASSERT_TRUE(b.unlink("f"));
  ASSERT_TRUE(b.files().sync_directory(kRootNode, test_context()));
  a_objects.heal();
  EXPECT_TRUE(sync());
  EXPECT_EQ(errno_of(b.stat("f")), ENOENT);
  EXPECT_EQ(read(b, ".versions/f/2"), "two");
}

}  // namespace
}  // namespace cairn
