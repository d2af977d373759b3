#include "fs/fuse/mount_check.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

TEST(MountCheckTest, an_empty_directory_is_a_mountpoint) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(check_mountpoint(directory.path(), false));
}

TEST(MountCheckTest, a_missing_mountpoint_says_how_to_make_it) {
  const TemporaryDirectory directory;
  const auto checked = check_mountpoint(directory.path() / "absent", false);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Errc::not_found);
  EXPECT_NE(checked.error().message().find("mkdir -p"), std::string::npos);
}

TEST(MountCheckTest, a_file_is_no_mountpoint) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "x";
  const auto checked = check_mountpoint(directory.path() / "file", false);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Errc::invalid_argument);
}

TEST(MountCheckTest, a_directory_with_entries_is_hidden_only_when_asked_for) {
  const TemporaryDirectory directory;
  std::ofstream(directory.path() / "file") << "x";
  const auto checked = check_mountpoint(directory.path(), false);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), Errc::invalid_argument);
  EXPECT_NE(checked.error().message().find("nonempty"), std::string::npos);
  EXPECT_TRUE(check_mountpoint(directory.path(), true));
}

}  // namespace
}  // namespace cairn
