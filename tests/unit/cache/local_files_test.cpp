// Whose files and directories the cache and the staging area trust with everybody's bytes.
#include "cache/local_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/test_environment.h"

namespace cairn {

namespace fs = std::filesystem;

class LocalFiles : public testing::Test {
 protected:
  static constexpr uid_t kSomebodyElse = 20'001;

  static mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }
  static Errc error_of(const Result<void>& made) { return made ? Errc::conflict : made.error().code(); }

  TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(LocalFiles, a_directory_that_is_made_is_its_makers_alone) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(make_directories(root_ / "a/b"));
  ::umask(before);
  EXPECT_EQ(mode_of(root_ / "a"), 0700U);
  EXPECT_EQ(mode_of(root_ / "a/b"), 0700U);
}

TEST_F(LocalFiles, a_directory_that_others_may_change_is_refused_unless_it_is_sticky) {
  for (const int mode : {0777, 0775, 0722}) {
    ASSERT_EQ(::chmod(root_.c_str(), static_cast<mode_t>(mode)), 0);
    EXPECT_EQ(error_of(make_directories(root_)), Errc::permission_denied) << mode;
  }
  for (const int mode : {0755, 0700, 01777}) {
    ASSERT_EQ(::chmod(root_.c_str(), static_cast<mode_t>(mode)), 0);
    EXPECT_TRUE(make_directories(root_)) << mode;
  }
}

TEST_F(LocalFiles, what_belongs_to_another_user_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  fs::create_directory(root_ / "theirs");
  std::ofstream(root_ / "log") << "theirs";
  ASSERT_EQ(::chown((root_ / "theirs").c_str(), kSomebodyElse, kSomebodyElse), 0);
  ASSERT_EQ(::chown((root_ / "log").c_str(), kSomebodyElse, kSomebodyElse), 0);
  EXPECT_EQ(error_of(make_directories(root_ / "theirs")), Errc::permission_denied);
  const auto log = open_file(root_ / "log", O_WRONLY | O_CREAT | O_APPEND);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code(), Errc::permission_denied);
}

TEST_F(LocalFiles, a_link_is_not_followed_to_where_somebody_else_wants_the_bytes) {
  fs::create_symlink(root_ / "target", root_ / "log");
  EXPECT_FALSE(open_file(root_ / "log", O_WRONLY | O_CREAT | O_APPEND));
  EXPECT_FALSE(fs::exists(root_ / "target"));
}

TEST_F(LocalFiles, a_file_that_is_made_is_its_makers_alone) {
  const mode_t before = ::umask(0);
  EXPECT_TRUE(open_file(root_ / "log", O_WRONLY | O_CREAT));
  ::umask(before);
  EXPECT_EQ(mode_of(root_ / "log"), 0600U);
}

}  // namespace cairn
