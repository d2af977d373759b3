// The manual and the program tell the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "daemon/settings.h"
#include "tests/unit/cli/cli_runner.h"

namespace cairn {
namespace {

std::string manual() {
  std::ifstream file(CAIRN_SOURCE_DIR "/packaging/cairnfs.1");
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_FALSE(text.empty());
  std::string plain;  // "\-" is troff's hyphen
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 >= text.size() || text[i + 1] != '-') plain += text[i];
  }
  return plain;
}

class Manual : public testing::Test {
 protected:
  std::ostringstream sink_;
  const Streams streams_{.out = sink_, .err = sink_};
  Action chosen_;
  const std::unique_ptr<CLI::App> app_ = make_app(streams_, chosen_);
  const std::string manual_ = manual();
};

TEST_F(Manual, has_a_section_for_every_command) {
  for (const CLI::App* command : app_->get_subcommands({})) {
    EXPECT_NE(manual_.find(".SS " + command->get_name() + "\n"), std::string::npos) << command->get_name();
  }
}

TEST_F(Manual, explains_every_flag_of_every_command) {
  for (const CLI::App* command : app_->get_subcommands({})) {
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        EXPECT_NE(manual_.find("--" + name), std::string::npos) << command->get_name() << " --" << name;
      }
    }
  }
}

TEST_F(Manual, names_the_key_the_default_and_the_range_of_every_setting) {
  for (const Setting& setting : settings_table()) {
    const size_t entry = manual_.find(".BR " + setting.flag());
    ASSERT_NE(entry, std::string::npos) << setting.key;
    const std::string text = manual_.substr(entry, manual_.find(".TP", entry) - entry);
    EXPECT_NE(text.find(".BR " + std::string(setting.key) + " ."), std::string::npos) << text;
    EXPECT_NE(text.find(setting.help.substr(0, 30)), std::string::npos) << text;
    if (!setting.default_text.empty()) {
      EXPECT_NE(text.find("Default: " + std::string(setting.default_text) + "."), std::string::npos) << text;
    }
    if (!setting.maximum.empty() && setting.minimum.empty()) continue;  // a list of words
    if (!setting.maximum.empty()) {
      EXPECT_NE(text.find(fmt::format("From {} to {}.", setting.minimum, setting.maximum)), std::string::npos) << text;
    }
  }
}

TEST_F(Manual, every_command_has_help_with_an_example) {
  for (const CLI::App* command : app_->get_subcommands({})) {
    const Outcome outcome = run_cairnfs({command->get_name(), "--help"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_NE(outcome.out.find("Examples:\n  "), std::string::npos) << command->get_name();
    EXPECT_EQ(outcome.err, "");
  }
}

}  // namespace
}  // namespace cairn
