#include "base/log.h"

#include <gtest/gtest.h>

#include <filesystem>

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

}  // namespace cairn
