#include "cli/background.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr std::chrono::seconds kPatience{20};

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Background : public testing::Test {
 protected:
  TemporaryDirectory home_;
  const std::string output_ = home_.path() / "output";
};

TEST_F(Background, the_parent_learns_when_the_child_is_ready_and_the_child_leads_its_own_session) {
  const std::string facts = home_.path() / "facts";
  const Result<pid_t> child = start_in_background(
      [&](const std::function<void()>& ready) -> Result<void> {
        ready();
        std::ofstream(facts) << ::getsid(0) << " " << std::filesystem::current_path().string();
        return {};
      },
      output_, kPatience);
  ASSERT_TRUE(child) << child.error().message();
  int status = -1;
  ASSERT_EQ(::waitpid(*child, &status, 0), *child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text_of(facts), fmt::format("{} /", *child));
}

TEST_F(Background, the_parent_gets_the_childs_error_in_one_line) {
  const Result<pid_t> child = start_in_background(
      [](const std::function<void()>&) -> Result<void> { return fail(Errc::conflict, "the cache\nis in use"); },
      output_, kPatience);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().message(), "the cache is in use");
  EXPECT_NE(text_of(output_).find("the cache"), std::string::npos) << "it is in the log as well";
}

TEST_F(Background, a_child_that_dies_without_a_word_is_noticed) {
  const Result<pid_t> child =
      start_in_background([](const std::function<void()>&) -> Result<void> { ::_exit(3); }, output_, kPatience);
  ASSERT_FALSE(child);
  EXPECT_NE(child.error().message().find(output_), std::string::npos);
}

TEST_F(Background, a_child_that_says_nothing_is_killed) {
  const Result<pid_t> child = start_in_background(
      [](const std::function<void()>&) -> Result<void> {
        while (true) ::pause();
      },
      output_, std::chrono::milliseconds(50));
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

}  // namespace
}  // namespace cairn
