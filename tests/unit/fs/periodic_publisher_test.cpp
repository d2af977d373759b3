// Files that stay open for hours.
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kAfter{30};

class OpenFiles : public ::testing::Test {
 protected:
  std::string read(TestHost& host, const std::string& path) { return content_or_error(host.read(path)); }
  HandleId open(const std::string& path, int flags = O_RDWR | O_CREAT) { return a.open(path, flags).value(); }
  void append(HandleId handle, std::string_view text) {
    std::string before = content_or_error(a.read(handle));
    ASSERT_TRUE(a.pwrite(handle, before.size(), text));
  }
  // Once this has returned, only a publication commits anything.
  void settle() {
    close_all();
    open_another();
    ASSERT_TRUE(a.files().sync_directory(kRootNode, test_context()));
  }
  void open_another() { handles.push_back(open("another" + std::to_string(++others) + ".log")); }
  // Goes after settle(): the thread looks at the clock again when another file changes.
  void pass(std::chrono::nanoseconds time) {
    a.clock().advance(time);
    ASSERT_TRUE(a.pwrite(handles.back(), 0, "x"));
  }
  // What was begun for `handle` has ended: its file has one publication at a time. Publishes what is left.
  void join(HandleId handle) { EXPECT_TRUE(a.files().sync(handle, test_context())); }
  std::shared_ptr<Gate> block_commits() { return objects.block(ObjectOperation::put_if_absent, "dirs/"); }
  // The count is there once the thread has ended.
  uint64_t published_while_open() {
    EXPECT_TRUE(a.files().shut_down(test_context()));
    return a.files().stats().published_while_open;
  }
  void close_all() {
    for (const HandleId handle : handles) EXPECT_TRUE(a.close(handle));
    handles.clear();
  }

  TestStore store;
  FaultyObjectStore objects{store.objects()};
  TestHost a{objects, {.host = "host-a", .publish_open = {{"*.log", "events.out.*"}, kAfter}}};
  TestHost b{store.objects(), {.host = "host-b"}};
  std::vector<HandleId> handles;
  int others = 0;
};

TEST_F(OpenFiles, a_log_is_published_while_it_is_written_and_the_writer_waits_for_nothing) {
  const HandleId log = open("train.log");
  append(log, "step 1\n");
  settle();
  const auto gate = block_commits();
  pass(kAfter);
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  append(log, "step 2\n");  // beside the publication that waits
  gate->open();
  EXPECT_TRUE(a.close(log));
  EXPECT_EQ(read(b, "train.log"), "step 1\nstep 2\n");
  EXPECT_THAT(*b.list(".versions/train.log"), ElementsAre("1"));
  close_all();
  EXPECT_GE(published_while_open(), 1U);
}

TEST_F(OpenFiles, each_publication_of_an_open_file_replaces_the_one_before) {
  const HandleId log = open("events.out.tfevents.1");
  for (uint64_t round = 1; round <= 3; ++round) {
    append(log, "event\n");
    settle();
    const auto gate = block_commits();
    pass(kAfter);
    ASSERT_TRUE(gate->wait_for_arrivals(1));
    gate->open();
    objects.heal();
    join(log);
    EXPECT_EQ(read(b, "events.out.tfevents.1").size(), 6 * round);
    EXPECT_THAT(*b.list(".versions/events.out.tfevents.1"), ElementsAre("1"));
  }
  EXPECT_TRUE(a.close(log));
  close_all();
  EXPECT_EQ(published_while_open(), 3U);
}

TEST_F(OpenFiles, other_files_wait_for_their_close) {
  const HandleId checkpoint = open("model.bin");
  append(checkpoint, "half");
  const HandleId log = open("b.log");
  append(log, "line\n");
  settle();
  const auto gate = block_commits();
  pass(2 * kAfter);
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
  join(log);
  EXPECT_EQ(read(b, "b.log"), "line\n");
  EXPECT_EQ(read(b, "model.bin"), "");
  EXPECT_TRUE(a.close(checkpoint));
  EXPECT_EQ(read(b, "model.bin"), "half");
  EXPECT_TRUE(a.close(log));
  close_all();
}

TEST_F(OpenFiles, a_file_is_known_by_the_name_that_it_has_when_it_is_due) {
  const HandleId renamed = open("new.tmp");
  append(renamed, "now a log");
  ASSERT_TRUE(a.rename("new.tmp", "new.log"));
  const HandleId no_log = open("old.log");
  append(no_log, "no log any more");
  ASSERT_TRUE(a.rename("old.log", "old.tmp"));
  settle();
  const auto gate = block_commits();
  pass(kAfter);
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
  join(renamed);
  EXPECT_EQ(read(b, "new.log"), "now a log");
  EXPECT_EQ(read(b, "old.tmp"), "");
  EXPECT_TRUE(a.close(renamed));
  EXPECT_TRUE(a.close(no_log));
  close_all();
}

TEST_F(OpenFiles, what_cannot_be_published_keeps_nothing_and_is_tried_again) {
  const HandleId log = open("train.log");
  append(log, "step 1\n");
  settle();
  const auto commits = [&] { return objects.count(ObjectOperation::put_if_absent, "dirs/"); };
  objects.add({.operation = ObjectOperation::put_if_absent,
               .key_prefix = "dirs/",
               .times = kEveryTime,
               .error = Errc::no_space});
  const uint64_t before = commits();
  pass(kAfter);
  while (commits() < before + 3) {  // a file that begins to change lets the thread look at the clock
    a.clock().advance(kAfter);
    open_another();
    ASSERT_TRUE(a.pwrite(handles.back(), 0, "x"));
  }
  EXPECT_THAT(a.files().unpublished(), IsEmpty());
  objects.heal();
  EXPECT_TRUE(a.close(log));
  EXPECT_EQ(read(b, "train.log"), "step 1\n");
  close_all();
}

TEST(PublishOpenRules, patterns_are_apart_by_commas_colons_or_blanks) {
  EXPECT_THAT(*PublishOpenRules::parse_patterns("*.log, *.jsonl:events.out.* x"),
              ElementsAre("*.log", "*.jsonl", "events.out.*", "x"));
  EXPECT_THAT(*PublishOpenRules::parse_patterns(""), IsEmpty());
  EXPECT_THAT(*PublishOpenRules::parse_patterns(" , "), IsEmpty());
  EXPECT_EQ(PublishOpenRules::parse_patterns("logs/*.log").error().code(), Errc::invalid_argument);
}

TEST(PublishOpenRules, names_are_matched_as_a_shell_does) {
  const PublishOpenRules rules{{"*.log", "events.out.*", "rank[0-9]"}};
  for (const char* name : {"a.log", ".log", "events.out.tfevents.17.host.0.v2", "rank3"}) {
    EXPECT_TRUE(rules.matches(name)) << name;
  }
  for (const char* name : {"a.log.gz", "log", "events.in.1", "rank33", "a.LOG"})
    EXPECT_FALSE(rules.matches(name)) << name;
}

}  // namespace
}  // namespace cairn
