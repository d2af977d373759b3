#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/support/test_environment.h"

namespace cairn {

namespace fs = std::filesystem;

TEST(Log, a_file_and_its_predecessor_together_stay_below_a_bound) {
  constexpr uint64_t kMaxFileBytes = 10U << 20;
  const TemporaryDirectory directory;
  log::configure(log::Level::info, (directory.path() / "cairnfs.log").string());
  const std::string line(1U << 20, 'x');
  for (int i = 0; i < 35; ++i) log::info("{}", line);
  log::info("the newest");
  log::configure(log::Level::info);
  size_t files = 0;
  for (const auto& file : fs::directory_iterator(directory.path())) {
    EXPECT_LE(file.file_size(), kMaxFileBytes + line.size());
    ++files;
  }
  EXPECT_EQ(files, 2);
  EXPECT_TRUE(fs::exists(directory.path() / "cairnfs.1.log"));
}

// In a process of its own, which has not configured its log yet.
TEST(Log, lines_from_before_the_log_has_a_file_are_in_the_file) {
  const TemporaryDirectory directory;
  const std::string file = (directory.path() / "cairnfs.log").string();
  EXPECT_EXIT(
      {
        log::info("early info");
        log::warning("early warning");
        log::configure(log::Level::info, file);
        log::info("late");
        std::_Exit(0);
      },
      testing::ExitedWithCode(0),
      testing::AllOf(testing::HasSubstr("early warning"), testing::Not(testing::HasSubstr("early info"))));
  std::ifstream written(file);
  std::string text{std::istreambuf_iterator<char>(written), std::istreambuf_iterator<char>()};
  const size_t info = text.find("early info");
  const size_t warning = text.find("early warning");
  EXPECT_LT(info, warning);
  EXPECT_LT(warning, text.find("late"));
}

}  // namespace cairn
