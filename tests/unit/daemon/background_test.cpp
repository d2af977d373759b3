#include "daemon/background.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

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
  Result<BackgroundProcess> start(const BackgroundWork& work, std::chrono::nanoseconds timeout = kPatience) {
    return start_in_background(
        work, [this](const std::string& text) { notices_.push_back(text); }, timeout);
  }

  TemporaryDirectory home_;
  const std::string output_ = home_.path() / "output";
  std::vector<std::string> notices_;
};

TEST_F(Background, the_parent_learns_when_the_child_is_ready_and_the_child_leads_its_own_session) {
  const std::string facts = home_.path() / "facts";
  const Result<BackgroundProcess> child = start([&](BackgroundChild& self) -> Result<void> {
    self.log_to(output_);
    self.ready("all is\nwell");
    std::ofstream(facts) << ::getsid(0) << " " << std::filesystem::current_path().string();
    return {};
  });
  ASSERT_TRUE(child) << child.error().message();
  EXPECT_EQ(child->words, "all is\nwell");
  int status = -1;
  ASSERT_EQ(::waitpid(child->pid, &status, 0), child->pid);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text_of(facts), fmt::format("{} /", child->pid));
}

TEST_F(Background, notices_come_in_order_and_relative_paths_are_the_callers_until_the_child_is_ready) {
  const std::string directory = std::filesystem::current_path();
  const Result<BackgroundProcess> child = start([&](BackgroundChild& self) -> Result<void> {
    self.notice("one");
    self.notice(std::filesystem::current_path().string());
    self.ready("");
    return {};
  });
  ASSERT_TRUE(child) << child.error().message();
  EXPECT_EQ(notices_, (std::vector<std::string>{"one", directory}));
  ::waitpid(child->pid, nullptr, 0);
}

TEST_F(Background, the_parent_gets_the_childs_error_with_its_code) {
  const Result<BackgroundProcess> child =
      start([](BackgroundChild&) -> Result<void> { return fail(Errc::conflict, "the cache is in use"); });
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code(), Errc::conflict);
  EXPECT_EQ(child.error().message(), "the cache is in use");
}

TEST_F(Background, a_child_that_dies_without_a_word_is_noticed_and_its_log_named) {
  const Result<BackgroundProcess> child = start([this](BackgroundChild& self) -> Result<void> {
    self.log_to(output_);
    ::_exit(3);
  });
  ASSERT_FALSE(child);
  EXPECT_NE(child.error().message().find(output_), std::string::npos) << child.error().message();
}

TEST_F(Background, a_child_that_says_nothing_is_killed) {
  const Result<BackgroundProcess> child = start(
      [](BackgroundChild&) -> Result<void> {
        while (true) ::pause();
      },
      std::chrono::milliseconds(50));
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

}  // namespace
}  // namespace cairn
