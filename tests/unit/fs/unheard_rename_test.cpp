// Renames between directories of which nobody has heard whether they happened, of files that are being written.
#include "store/format/keys.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class UnheardRename : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* directory : {"from", "to"}) ASSERT_TRUE(a.mkdir(directory));
    ASSERT_TRUE(a.write("from/f", "old"));
    ASSERT_TRUE(a.write("to/other", "other"));
    writer = a.open("from/f", O_RDWR).value();
    ASSERT_TRUE(a.pwrite(writer, 0, "new"));
  }
  // The network ends with the record that the target gets, and comes back after the call.
  void rename_unheard(FaultEffect effect, const std::string& to = "to/f", RenameMode mode = RenameMode::replace) {
    const std::string target = keys::directory(a.stat("to")->attributes.ino);
    a_objects.add({.operation = ObjectOperation::put_if_absent, .key_prefix = target, .effect = effect});
    EXPECT_EQ(errno_of(a.rename("from/f", to, mode)), EIO);
    a_objects.heal();
  }
  // Another host looks, and completes what it finds half done.
  void complete() {
    b.restart();
    EXPECT_TRUE(b.list("to"));
    EXPECT_TRUE(b.list("from"));
    b.restart();
  }
  std::vector<std::string> list(const std::string& path) { return b.list(path).value(); }
  std::string read(const std::string& path) { return content_or_error(b.read(path)); }

  TestStore store;
  FaultyObjectStore a_objects{store.objects()};
  TestHost a{a_objects, {.host = "host-a"}};
  TestHost b{store.objects(), {.host = "host-b"}};
  HandleId writer = 0;
};

TEST_F(UnheardRename, the_writer_publishes_where_the_file_is_by_then) {
  rename_unheard(FaultEffect::crash_after);
  complete();
  ASSERT_THAT(list("from"), IsEmpty());
  ASSERT_TRUE(a.close(writer));
  EXPECT_THAT(list("from"), IsEmpty());
  EXPECT_THAT(list("to"), ElementsAre("f", "other"));
  EXPECT_EQ(read("to/f"), "new");
}

TEST_F(UnheardRename, before_anybody_completes_it_nothing_is_lost_either) {
  rename_unheard(FaultEffect::crash_after);
  ASSERT_TRUE(a.close(writer));
  complete();
  EXPECT_THAT(list("from"), IsEmpty());
  EXPECT_EQ(read("to/f"), "new");
}

TEST_F(UnheardRename, one_that_did_not_happen_leaves_the_file_where_it_was) {
  rename_unheard(FaultEffect::crash_before);
  ASSERT_TRUE(a.close(writer));
  complete();
  EXPECT_EQ(read("from/f"), "new");
  EXPECT_THAT(list("to"), ElementsAre("other"));
}

TEST_F(UnheardRename, a_file_that_was_moved_and_then_unlinked_does_not_come_back) {
  rename_unheard(FaultEffect::crash_after);
  complete();
  ASSERT_TRUE(b.unlink("to/f"));
  b.restart();
  ASSERT_TRUE(a.close(writer));
  EXPECT_THAT(list("from"), IsEmpty());
  EXPECT_THAT(list("to"), ElementsAre("other"));
}

TEST_F(UnheardRename, of_an_exchange_both_writers_find_their_files) {
  const HandleId other = a.open("to/other", O_RDWR).value();
  ASSERT_TRUE(a.pwrite(other, 0, "OTHER"));
  rename_unheard(FaultEffect::crash_after, "to/other", RenameMode::exchange);
  complete();
  ASSERT_TRUE(a.close(writer));
  ASSERT_TRUE(a.close(other));
  EXPECT_THAT(list("from"), ElementsAre("f"));
  EXPECT_THAT(list("to"), ElementsAre("other"));
  EXPECT_EQ(read("from/f"), "OTHER");
  EXPECT_EQ(read("to/other"), "new");
}

TEST_F(UnheardRename, what_a_failed_close_keeps_follows_as_well) {
  rename_unheard(FaultEffect::crash_after);
  complete();
  a_objects.add({.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .times = kEveryTime});
  EXPECT_FALSE(a.close(writer));
  a_objects.heal();
  for (const UnpublishedFile& kept : a.files().unpublished()) {
    EXPECT_TRUE(a.files().publish_kept(kept.number, test_context()));
  }
  EXPECT_THAT(list("from"), IsEmpty());
  EXPECT_EQ(read("to/f"), "new");
}

TEST_F(UnheardRename, while_nobody_can_be_asked_the_close_fails_and_keeps_the_bytes) {
  rename_unheard(FaultEffect::crash_after);
  complete();
  a_objects.add({.operation = ObjectOperation::get,
                 .key_prefix = keys::directory(b.stat("to")->attributes.ino),
                 .times = kEveryTime});
  EXPECT_EQ(errno_of(a.close(writer)), EIO);
  EXPECT_THAT(list("from"), IsEmpty());
  a_objects.heal();
  EXPECT_TRUE(a.files().shut_down(test_context()));
  EXPECT_EQ(read("to/f"), "new");
}

}  // namespace
}  // namespace cairn
