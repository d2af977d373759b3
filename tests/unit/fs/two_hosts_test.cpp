#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;

TEST_F(TwoHosts, an_open_after_a_close_sees_the_version) {
  ASSERT_TRUE(a.write("f", "one"));
  EXPECT_EQ(read(b, "f"), "one");
  ASSERT_TRUE(a.write("f", "two"));
  EXPECT_EQ(read(b, "f"), "two");
}

TEST_F(TwoHosts, an_open_file_keeps_its_version) {
  ASSERT_TRUE(a.write("f", "one"));
  const auto handle = b.open("f", O_RDONLY);
  ASSERT_TRUE(a.write("f", "two!"));
  EXPECT_EQ(content_or_error(b.read(*handle)), "one");
  EXPECT_EQ(read(b, "f"), "two!");
  EXPECT_EQ(content_or_error(b.read(*handle)), "one");
  b.files().release(*handle);
}

TEST_F(TwoHosts, a_new_version_is_a_new_node_with_the_same_inode) {
  ASSERT_TRUE(a.write("f", "one"));
  const auto before = b.hold("f");
  ASSERT_TRUE(a.write("f", "two!"));
  const auto after = b.hold("f");
  EXPECT_NE(before->node, after->node);
  EXPECT_EQ(before->attributes.ino, after->attributes.ino);
  b.files().forget(before->node, 1);
  b.files().forget(after->node, 1);
}

// Its create is in the store, its content is not yet, and the other host moves what is there.
TEST_F(TwoHosts, a_close_whose_new_file_was_moved_away_loses_nothing) {
  ASSERT_TRUE(a.mkdir("other"));
  const auto handle = a.open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(a.pwrite(*handle, 0, "precious"));
  ASSERT_TRUE(a.files().sync_directory(kRootNode, test_context()));
  ASSERT_TRUE(b.rename("f", "other/f"));  // the mark is cleared later
  ASSERT_TRUE(a.close(*handle));
  b.restart();
  a.restart();
  EXPECT_EQ(read(a, "f"), "precious");
  EXPECT_EQ(read(b, "f"), "precious");
  EXPECT_EQ(read(b, "other/f"), "");
}

TEST_F(TwoHosts, rights_that_are_taken_away_are_gone_on_the_other_host_at_once) {
  ASSERT_TRUE(a.write("f", "x"));
  ASSERT_TRUE(a.mkdir("d"));
  for (const std::string path : {"f", "d"}) {
    const std::vector<SetAttributes> narrowings = {{.mode = 0640}, {.mode = 0600}, {.uid = 7}, {.gid = 8}};
    for (const SetAttributes& narrowing : narrowings) {
      const uint64_t before = objects.count(ObjectOperation::put_if_absent, "dirs/");
      ASSERT_TRUE(a.set_attributes(path, narrowing)) << path;
      EXPECT_EQ(objects.count(ObjectOperation::put_if_absent, "dirs/"), before + 1) << path;
    }
    EXPECT_EQ(b.stat(path)->attributes.mode, 0600U) << path;
    EXPECT_EQ(b.stat(path)->attributes.uid, 7U) << path;
    EXPECT_EQ(b.stat(path)->attributes.gid, 8U) << path;
  }
}

TEST_F(TwoHosts, rights_that_cannot_be_taken_away_in_the_store_are_kept_and_the_caller_is_told) {
  ASSERT_TRUE(a.write("f", "x"));
  ASSERT_TRUE(a.set_attributes("f", {.mode = 0644}));
  objects.add({.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .error = Errc::permission_denied});
  EXPECT_FALSE(a.set_attributes("f", {.mode = 0600}));
  EXPECT_EQ(a.stat("f")->attributes.mode, 0644U);
}

// A bind mount, or a program in /proc/self/fd: the kernel opens the node that it has, and looks nothing up.
class WithoutName : public TwoHosts {
 protected:
  Result<OpenReply> open_node(NodeId node, int flags = O_RDONLY, uint32_t thread = 7) {
    return b.files().open_file(node, flags, {0, 0, thread}, test_context());
  }
  std::string read_node(NodeId node) {
    auto opened = open_node(node);
    if (errno_of(opened) == ESTALE) opened = open_node(node);
    if (!opened) return "<" + opened.error().to_string() + ">";
    std::string content = content_or_error(b.read(opened->handle));
    b.files().release(opened->handle);
    return content;
  }
  uint64_t size_of(NodeId node) {
    return b.files().get_attributes(node, std::nullopt, test_context())->attributes.size_bytes;
  }
};

TEST_F(WithoutName, a_node_that_nobody_has_open_shows_each_publication) {
  std::vector<std::pair<NodeId, uint64_t>> told;
  b.files().set_change_sink([&](NodeId node, uint64_t from) { told.emplace_back(node, from); });
  ASSERT_TRUE(a.write("f", "one"));
  const NodeId node = b.hold("f")->node;
  for (const std::string content : {"three", "no", "the fourth"}) {
    ASSERT_TRUE(a.write("f", content));
    EXPECT_EQ(size_of(node), content.size());
    ASSERT_TRUE(a.write("f", content + "!"));
    EXPECT_EQ(read_node(node), content + "!");
  }
  EXPECT_THAT(told, ::testing::Contains(std::pair(node, uint64_t{0})).Times(6));
  b.files().forget(node, 1);
}

TEST_F(WithoutName, a_node_that_is_open_keeps_its_version_and_is_opened_in_it) {
  ASSERT_TRUE(a.write("f", "one"));
  const NodeId node = b.hold("f")->node;
  const auto opened = open_node(node);
  ASSERT_TRUE(a.write("f", "two!"));
  EXPECT_EQ(errno_of(open_node(node)), ESTALE);
  EXPECT_EQ(errno_of(open_node(node, O_RDONLY, 8)), ESTALE);
  EXPECT_EQ(read_node(node), "one");
  EXPECT_EQ(read(b, "f"), "two!");
  b.files().release(opened->handle);
  EXPECT_EQ(read_node(node), "two!");
  b.files().forget(node, 1);
}

TEST_F(WithoutName, a_thread_that_nobody_can_tell_from_others_is_never_refused) {
  ASSERT_TRUE(a.write("f", "one"));
  const NodeId node = b.hold("f")->node;
  const auto opened = open_node(node);
  ASSERT_TRUE(a.write("f", "two!"));
  const auto again = open_node(node, O_RDONLY, 0);
  ASSERT_TRUE(again);
  b.files().release(again->handle);
  b.files().release(opened->handle);
  b.files().forget(node, 1);
}

TEST_F(WithoutName, a_file_whose_name_is_anothers_now_is_still_itself) {
  ASSERT_TRUE(a.write("f", "one"));
  const NodeId node = b.hold("f")->node;
  ASSERT_TRUE(a.write("f.tmp", "two!"));
  ASSERT_TRUE(a.rename("f.tmp", "f"));
  EXPECT_EQ(errno_of(open_node(node)), ESTALE);
  EXPECT_EQ(read_node(node), "one");
  ASSERT_TRUE(a.unlink("f"));
  EXPECT_EQ(read_node(node), "one");
  b.files().forget(node, 1);
}

TEST_F(WithoutName, a_truncation_is_never_refused_twice) {
  ASSERT_TRUE(a.write("f", "one"));
  const NodeId node = b.hold("f")->node;
  const auto opened = open_node(node);
  ASSERT_TRUE(a.write("f", "two!"));
  const SetAttributes wanted = {.size_bytes = 2, .thread = 7};
  EXPECT_EQ(errno_of(b.files().set_attributes(node, wanted, test_context())), ESTALE);
  EXPECT_TRUE(b.files().set_attributes(node, wanted, test_context()));
  b.files().release(opened->handle);
  b.files().forget(node, 1);
}

// Somebody polls a log: the descriptor stays, and the bytes come.
class OpenLog : public WithoutName {
 protected:
  void append(std::string_view more) {
    const auto handle = a.open("log", O_WRONLY | O_APPEND);
    ASSERT_TRUE(a.pwrite(*handle, 0, more));
    ASSERT_TRUE(a.close(*handle));
  }
  std::string poll(HandleId handle) {
    (void)size_of(node);
    return content_or_error(b.read(handle));
  }
  NodeId node = 0;
};

TEST_F(OpenLog, a_version_that_only_appends_is_seen_through_open_descriptors) {
  std::vector<uint64_t> pages;
  b.files().set_change_sink([&](NodeId, uint64_t from) { pages.push_back(from); });
  ASSERT_TRUE(a.write("log", "one\n"));
  node = b.hold("log")->node;
  const HandleId handle = open_node(node)->handle;
  append("two\n");
  EXPECT_EQ(poll(handle), "one\ntwo\n");
  append(std::string(9 << 20, 'x'));
  EXPECT_EQ(poll(handle).size(), (9U << 20) + 8);
  append("last");
  EXPECT_EQ(poll(handle).substr((9 << 20) + 8), "last");
  EXPECT_EQ(pages, (std::vector<uint64_t>{4, 8, 8, (9 << 20) + 8, (9 << 20) + 8, (9 << 20) + 12}));
  EXPECT_EQ(b.hold("log")->node, node);
  b.files().release(handle);
  b.files().forget(node, 2);
}

TEST_F(OpenLog, a_version_that_changes_a_byte_is_not) {
  ASSERT_TRUE(a.write("log", "one\n"));
  node = b.hold("log")->node;
  const HandleId handle = open_node(node)->handle;
  ASSERT_TRUE(a.write("log", "onE\nand more"));
  EXPECT_EQ(poll(handle), "one\n");
  ASSERT_TRUE(a.write("log", "on"));
  EXPECT_EQ(poll(handle), "one\n");
  b.files().release(handle);
  b.files().forget(node, 1);
}

TEST_F(OpenLog, what_is_written_here_stays_on_the_version_it_was_begun_on) {
  ASSERT_TRUE(a.write("log", "one\n"));
  node = b.hold("log")->node;
  const HandleId handle = open_node(node, O_RDWR)->handle;
  ASSERT_TRUE(b.pwrite(handle, 0, "ONE\n"));
  append("two\n");
  EXPECT_EQ(poll(handle), "ONE\n");
  ASSERT_TRUE(b.close(handle));
  EXPECT_EQ(read(a, "log"), "ONE\n");
  b.files().forget(node, 1);
}

TEST_F(TwoHosts, a_writers_own_node_survives_its_publication) {
  ASSERT_TRUE(a.write("f", "one"));
  const auto before = a.hold("f");
  ASSERT_TRUE(a.write("f", "two"));
  const auto after = a.hold("f");
  EXPECT_EQ(before->node, after->node);
  a.files().forget(before->node, 2);
}

TEST_F(TwoHosts, the_later_close_wins_and_both_are_in_the_history) {
  ASSERT_TRUE(a.write("f", "base"));
  const auto on_a = a.open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(*on_a, 0, "aaaa"));
  const auto on_b = b.open("f", O_WRONLY);
  ASSERT_TRUE(b.pwrite(*on_b, 0, "bbbb"));
  ASSERT_TRUE(a.close(*on_a));
  ASSERT_TRUE(b.close(*on_b));
  EXPECT_EQ(read(a, "f"), "bbbb");
  EXPECT_EQ(read(a, ".versions/f/2"), "aaaa");
  EXPECT_EQ(read(b, ".versions/f/3"), "bbbb");
}

TEST_F(TwoHosts, a_close_after_another_hosts_rename_over_the_name_wins_it) {
  ASSERT_TRUE(a.write("f", "base"));
  const auto on_a = a.open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(*on_a, 0, "mine"));
  ASSERT_TRUE(b.write("tmp", "theirs"));
  ASSERT_TRUE(b.rename("tmp", "f"));
  ASSERT_TRUE(a.close(*on_a));
  EXPECT_EQ(read(b, "f"), "mine");
  EXPECT_EQ(read(b, ".versions/f/2"), "theirs");
  EXPECT_EQ(read(b, ".versions/f/3"), "mine");
}

TEST_F(TwoHosts, a_close_follows_another_hosts_rename) {
  ASSERT_TRUE(a.write("f", "base"));
  const auto on_a = a.open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(*on_a, 0, "mine"));
  ASSERT_TRUE(b.rename("f", "g"));
  ASSERT_TRUE(a.close(*on_a));
  EXPECT_THAT(*b.list(""), ElementsAre("g"));
  EXPECT_EQ(read(b, "g"), "mine");
}

TEST_F(TwoHosts, a_close_after_another_hosts_unlink_publishes_nothing) {
  ASSERT_TRUE(a.write("f", "base"));
  const auto on_a = a.open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(*on_a, 0, "mine"));
  ASSERT_TRUE(b.unlink("f"));
  ASSERT_TRUE(b.files().sync_directory(kRootNode, test_context()));
  EXPECT_TRUE(a.close(*on_a));
  EXPECT_EQ(errno_of(b.stat("f")), ENOENT);
}

TEST_F(TwoHosts, bytes_are_never_lost_with_a_name_that_moved_out_of_sight) {
  ASSERT_TRUE(a.mkdir("d"));
  ASSERT_TRUE(a.write("f", "base"));
  const auto on_a = a.open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(*on_a, 0, "mine"));
  ASSERT_TRUE(b.rename("f", "d/f"));
  EXPECT_TRUE(a.close(*on_a));
  EXPECT_EQ(read(b, "d/f"), "base");
  EXPECT_EQ(read(b, "f"), "mine");
  EXPECT_NE(b.stat("f")->attributes.ino, b.stat("d/f")->attributes.ino);
}

TEST_F(TwoHosts, a_plain_create_of_both_is_one_file) {
  const auto on_a = a.open("f", O_WRONLY | O_CREAT);
  const auto on_b = b.open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(a.pwrite(*on_a, 0, "aaaa"));
  ASSERT_TRUE(b.pwrite(*on_b, 0, "bb"));
  ASSERT_TRUE(a.close(*on_a));
  ASSERT_TRUE(b.close(*on_b));
  EXPECT_EQ(read(a, "f"), "bb");
  EXPECT_THAT(*a.list(".versions/f"), ElementsAre("1", "2"));
  EXPECT_EQ(a.counters().dropped_changes + b.counters().dropped_changes, 0U);
}

TEST_F(TwoHosts, an_exclusive_create_has_one_winner) {
  ASSERT_TRUE(a.open("lock", O_WRONLY | O_CREAT | O_EXCL));
  EXPECT_EQ(errno_of(b.open("lock", O_WRONLY | O_CREAT | O_EXCL)), EEXIST);
}

TEST_F(TwoHosts, names_made_on_both_are_all_there) {
  ASSERT_TRUE(a.mkdir("d"));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(a.write("d/a" + std::to_string(i), "x"));
    ASSERT_TRUE(b.write("d/b" + std::to_string(i), "x"));
  }
  EXPECT_EQ(a.list("d")->size(), 10U);
  EXPECT_EQ(b.list("d")->size(), 10U);
}

TEST_F(TwoHosts, a_host_whose_clock_is_a_month_ahead_forgets_no_history_of_the_others) {
  ASSERT_TRUE(a.write("model", "content"));
  ASSERT_TRUE(a.unlink("model"));
  ASSERT_TRUE(a.files().sync_directory(kRootNode, test_context()));
  b.clock().advance(std::chrono::hours(31 * 24));
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(b.write("checkpoint", std::to_string(i)));
  EXPECT_EQ(a.read(".versions/model/1").value(), "content");
  EXPECT_EQ(b.read(".versions/model/1").value(), "content");
}

TEST_F(TwoHosts, a_directory_removed_elsewhere_takes_no_names_here) {
  ASSERT_TRUE(a.mkdir("d"));
  const auto held = b.hold("d");
  ASSERT_TRUE(a.rmdir("d"));
  EXPECT_EQ(errno_of(b.files().lookup(held->node, "x", test_context())), ENOENT);
  EXPECT_EQ(errno_of(b.files().create(held->node, "x", 0644, O_WRONLY, {}, test_context())), ENOENT);
  b.files().forget(held->node, 1);
}

TEST(Revalidation, answers_hold_for_what_is_left_of_the_interval) {
  TestStore store;
  TestHost host(store.objects(), {.revalidate = std::chrono::seconds(1)});
  ASSERT_TRUE(host.write("f", "x"));
  ASSERT_TRUE(host.stat("f"));
  host.clock().advance(std::chrono::milliseconds(400));
  EXPECT_LE(host.stat("f")->valid_for, std::chrono::milliseconds(600));
  EXPECT_GT(host.stat("f")->valid_for, std::chrono::milliseconds(0));
}

TEST(Revalidation, within_the_interval_the_store_is_not_asked) {
  TestStore store;
  FaultyObjectStore objects(store.objects());
  TestHost host(objects, {.revalidate = std::chrono::seconds(1)});
  ASSERT_TRUE(host.write("f", "x"));
  objects.reset_counts();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(host.stat("f"));
  EXPECT_EQ(objects.count(), 0U);
  host.clock().advance(std::chrono::seconds(2));
  EXPECT_TRUE(host.stat("f"));
  EXPECT_GE(objects.count(), 1U);
}

TEST(Revalidation, what_is_known_can_be_looked_at_while_the_store_is_out_of_reach) {
  TestStore store;
  FaultyObjectStore objects(store.objects());
  TestHost host(objects);
  ASSERT_TRUE(host.write("f", "known"));
  objects.add({.times = kEveryTime});
  EXPECT_EQ(content_or_error(host.read("f")), "known");
  EXPECT_EQ(errno_of(host.mkdir("d")), EIO);
  objects.heal();
}

TEST(Revalidation, an_outage_is_told_from_the_first_question_left_unanswered_to_the_next_answer) {
  TestStore store;
  FaultyObjectStore objects(store.objects());
  TestHost host(objects, {.revalidate = std::chrono::seconds(1)});
  ASSERT_TRUE(host.mkdir("young"));
  host.clock().advance(std::chrono::seconds(2));
  EXPECT_TRUE(host.stat("young"));
  EXPECT_FALSE(host.files().stats().outage);
  objects.add({.times = kEveryTime});
  host.clock().advance(std::chrono::milliseconds(600));
  EXPECT_TRUE(host.stat("young"));  // known well enough: nobody is asked
  EXPECT_FALSE(host.files().stats().outage);
  host.clock().advance(std::chrono::milliseconds(600));
  EXPECT_TRUE(host.stat("young"));
  const auto outage = host.files().stats().outage;
  ASSERT_TRUE(outage);
  EXPECT_EQ(outage->since, host.clock().wall_now());
  EXPECT_THAT(outage->error, ::testing::HasSubstr("unavailable"));
  host.clock().advance(std::chrono::seconds(1));
  EXPECT_TRUE(host.stat("young"));
  EXPECT_EQ(host.files().stats().outage->since, outage->since);
  objects.heal();
  host.clock().advance(std::chrono::milliseconds(1));
  EXPECT_TRUE(host.stat("young"));
  EXPECT_FALSE(host.files().stats().outage);
}

TEST(Revalidation, a_store_that_does_not_answer_is_not_asked_by_each_look_up) {
  TestStore store;
  FaultyObjectStore objects(store.objects());
  TestHost host(objects);
  ASSERT_TRUE(host.write("f", "known"));
  host.clock().advance(std::chrono::seconds(2));
  objects.add({.times = kEveryTime, .error = Errc::deadline_exceeded});
  objects.reset_counts();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(host.stat("f"));
  EXPECT_EQ(objects.count(), 1U);
  host.clock().advance(std::chrono::seconds(6));
  EXPECT_TRUE(host.stat("f"));
  EXPECT_EQ(objects.count(), 2U);
  objects.heal();
}

}  // namespace
}  // namespace cairn
