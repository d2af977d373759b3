#include <sys/xattr.h>

#include "fs/xattr.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;

class AttributesOf : public OneHost {};

TEST_F(AttributesOf, files_and_directories_change_and_survive_a_restart) {
  write("f", "x");
  ASSERT_TRUE(host.mkdir("d"));
  for (const std::string path : {"f", "d"}) {
    ASSERT_TRUE(host.set_attributes(path, {.mode = 01640}));
    ASSERT_TRUE(host.set_attributes(path, {.uid = 3, .gid = 4}));
    ASSERT_TRUE(host.set_attributes(path, {.mtime = 1'234'567'890}));
  }
  host.restart();
  for (const std::string path : {"f", "d"}) {
    EXPECT_EQ(stat(path).mode, 01640U);
    EXPECT_EQ(stat(path).uid, 3U);
    EXPECT_EQ(stat(path).gid, 4U);
    EXPECT_EQ(stat(path).mtime, 1'234'567'890);
  }
}

TEST_F(AttributesOf, a_change_of_owner_clears_set_id_bits) {
  write("f", "x");
  ASSERT_TRUE(host.set_attributes("f", {.mode = 06755}));
  ASSERT_TRUE(host.set_attributes("f", {.uid = 3, .gid = 4}));
  EXPECT_EQ(stat("f").mode, 0755U);
  ASSERT_TRUE(host.set_attributes("f", {.mode = 02644}));  // set-gid without execution: mandatory locking, and stays
  ASSERT_TRUE(host.set_attributes("f", {.uid = 5, .gid = 6}));
  EXPECT_EQ(stat("f").mode, 02644U);
}

TEST_F(AttributesOf, every_change_dates_the_inode_and_not_the_content) {
  write("f", "x");
  const NodeAttributes before = stat("f");
  host.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(host.set_attributes("f", {.mode = 0600}));
  EXPECT_EQ(stat("f").mtime, before.mtime);
  EXPECT_GT(stat("f").ctime, before.ctime);
}

TEST_F(AttributesOf, a_write_dates_the_content_at_once) {
  write("f", "x");
  const NodeAttributes before = stat("f");
  host.clock().advance(std::chrono::seconds(1));
  const HandleId handle = open("f", O_WRONLY);
  ASSERT_TRUE(host.pwrite(handle, 0, "y"));
  EXPECT_GT(stat("f").mtime, before.mtime);
  EXPECT_GT(stat("f").ctime, before.ctime);
  const Nanos written = stat("f").mtime;
  host.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(stat("f").mtime, written);
}

TEST_F(AttributesOf, utimens_before_close_is_the_time_of_the_version) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "x"));
  ASSERT_TRUE(host.set_attributes("f", {.mtime = 42}));
  EXPECT_EQ(stat("f").mtime, 42);
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(stat("f").mtime, 42);
  EXPECT_EQ(stat(".versions/f/1").mtime, 42);
}

TEST_F(AttributesOf, utimens_after_close_dates_the_version_too) {
  write("f", "x");
  ASSERT_TRUE(host.set_attributes("f", {.mtime = 42}));
  write("f", "y");
  EXPECT_EQ(stat(".versions/f/1").mtime, 42);
  EXPECT_EQ(stat(".versions/f/2").mtime, stat("f").mtime);
}

TEST_F(AttributesOf, truncating_to_the_same_size_dates_the_file) {
  write("f", "x");
  const Nanos before = stat("f").mtime;
  host.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(host.truncate("f", 1));
  EXPECT_GT(stat("f").mtime, before);
  EXPECT_EQ(host.files().entry_at("f", test_context())->versions.size(), 1U);
}

TEST_F(AttributesOf, only_files_have_a_size_to_set) {
  ASSERT_TRUE(host.mkdir("d"));
  ASSERT_TRUE(host.symlink("t", "l"));
  EXPECT_EQ(errno_of(host.truncate("d", 0)), EISDIR);
  EXPECT_EQ(errno_of(host.truncate("l", 0)), EINVAL);
}

TEST_F(AttributesOf, attributes_are_set_listed_and_removed) {
  write("f", "x");
  ASSERT_TRUE(host.mkdir("d"));
  for (const std::string path : {"f", "d"}) {
    ASSERT_TRUE(host.set_xattr(path, "user.b", "2"));
    ASSERT_TRUE(host.set_xattr(path, "trusted.a", std::string("\0\xff", 2)));
    EXPECT_EQ(content_or_error(host.get_xattr(path, "trusted.a")), std::string("\0\xff", 2));
    EXPECT_THAT(*host.list_xattrs(path), ElementsAre("trusted.a", "user.b"));
    ASSERT_TRUE(host.remove_xattr(path, "user.b"));
    EXPECT_EQ(errno_of(host.get_xattr(path, "user.b")), ENODATA);
    EXPECT_EQ(errno_of(host.remove_xattr(path, "user.b")), ENODATA);
  }
  host.restart();
  EXPECT_THAT(*host.list_xattrs("f"), ElementsAre("trusted.a"));
  EXPECT_THAT(*host.list_xattrs("d"), ElementsAre("trusted.a"));
}

TEST_F(AttributesOf, xattr_flags_and_limits_follow_the_man_page) {
  write("f", "x");
  EXPECT_EQ(errno_of(host.set_xattr("f", "user.a", "1", XATTR_REPLACE)), ENODATA);
  ASSERT_TRUE(host.set_xattr("f", "user.a", "1", XATTR_CREATE));
  EXPECT_EQ(errno_of(host.set_xattr("f", "user.a", "1", XATTR_CREATE)), EEXIST);
  EXPECT_EQ(errno_of(host.set_xattr("f", "user.a", "1", 8)), EINVAL);
  EXPECT_EQ(errno_of(host.set_xattr("f", "user." + std::string(251, 'n'), "1")), ERANGE);
  EXPECT_EQ(errno_of(host.set_xattr("f", "user.a", std::string(kMaxXattrValueBytes + 1, 'v'))), E2BIG);
  EXPECT_EQ(errno_of(host.set_xattr("f", "user.", "1")), EINVAL);
  ASSERT_TRUE(host.set_xattr("f", "user.big1", std::string(kMaxXattrValueBytes, 'v')));
  EXPECT_EQ(errno_of(host.set_xattr("f", "user.big2", std::string(kMaxXattrValueBytes, 'v'))), ENOSPC);
  ASSERT_TRUE(host.set_xattr("f", "user.big1", std::string(kMaxXattrValueBytes, 'w')));
}

TEST_F(AttributesOf, xattr_namespaces_that_cannot_be_kept_are_refused) {
  write("f", "x");
  ASSERT_TRUE(host.symlink("t", "l"));
  EXPECT_EQ(errno_of(host.set_xattr("f", "system.posix_acl_access", "1")), EOPNOTSUPP);
  EXPECT_EQ(errno_of(host.get_xattr("f", "system.posix_acl_access")), EOPNOTSUPP);
  EXPECT_EQ(errno_of(host.set_xattr("f", "security.capability", "1")), EOPNOTSUPP);
  EXPECT_EQ(errno_of(host.get_xattr("f", "security.capability")), ENODATA);
  EXPECT_EQ(errno_of(host.set_xattr("f", "plain", "1")), EOPNOTSUPP);
  EXPECT_EQ(errno_of(host.set_xattr("l", "user.a", "1")), EPERM);
  EXPECT_TRUE(host.set_xattr("l", "trusted.a", "1"));
}

TEST_F(AttributesOf, a_rewrite_keeps_mode_owner_and_xattrs) {
  write("f", "x");
  ASSERT_TRUE(host.set_attributes("f", {.mode = 0600}));
  ASSERT_TRUE(host.set_xattr("f", "user.a", "1"));
  write("f", "y");
  EXPECT_EQ(stat("f").mode, 0600U);
  EXPECT_EQ(content_or_error(host.get_xattr("f", "user.a")), "1");
}

}  // namespace
}  // namespace cairn
