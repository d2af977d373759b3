#include "remote/credentials/aws_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "remote/credentials/settings_text.h"
#include "tests/support/test_environment.h"

namespace cairn {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

namespace {

AwsProfiles parsed(std::string_view text, AwsFileKind kind = AwsFileKind::credentials) {
  auto profiles = parse_aws_profiles(text, kind, "/home/a/.aws/credentials");
  EXPECT_TRUE(profiles) << profiles.error().to_string();
  return profiles.value_or(AwsProfiles{});
}

Error refused(std::string_view text, AwsFileKind kind = AwsFileKind::credentials) {
  auto profiles = parse_aws_profiles(text, kind, "/home/a/.aws/credentials");
  EXPECT_FALSE(profiles) << text;
  return profiles ? Error(Errc::io, "") : profiles.error();
}

}  // namespace

TEST(AwsProfiles, a_section_of_the_credentials_file_is_a_profile) {
  EXPECT_THAT(
      parsed("[default]\nkey=1\n[training]\nkey = 2\n"),
      ElementsAre(Pair("default", ElementsAre(Pair("key", "1"))), Pair("training", ElementsAre(Pair("key", "2")))));
}

TEST(AwsProfiles, the_config_file_heads_profiles_with_the_word_profile) {
  const AwsProfiles profiles = parsed(
      "[default]\na=1\n[profile  x]\na=2\n[y]\na=3\n[sso-session z]\na=4\n[profiles]\na=5\n", AwsFileKind::config);
  EXPECT_THAT(profiles,
              ElementsAre(Pair("default", ElementsAre(Pair("a", "1"))), Pair("x", ElementsAre(Pair("a", "2")))));
}

TEST(AwsProfiles, sections_of_sso_sessions_are_found_by_their_word) {
  EXPECT_THAT(parsed("[default]\na=1\n[profile x]\na=2\n[sso-session x]\na=3\n[sso-session default]\na=4\n",
                     AwsFileKind::sso_sessions),
              ElementsAre(Pair("default", ElementsAre(Pair("a", "4"))), Pair("x", ElementsAre(Pair("a", "3")))));
}

TEST(AwsProfiles, profile_default_hides_default_in_the_config_file) {
  const std::string_view text = "[profile default]\na=1\n[default]\na=2\nb=2\n";
  EXPECT_THAT(parsed(text, AwsFileKind::config), ElementsAre(Pair("default", ElementsAre(Pair("a", "1")))));
}

TEST(AwsProfiles, names_may_be_quoted) {
  EXPECT_THAT(parsed("[profile \"my models\"]\na=1\n", AwsFileKind::config),
              ElementsAre(Pair("my models", testing::_)));
}

TEST(AwsProfiles, keys_are_known_in_lower_case_and_values_keep_theirs) {
  EXPECT_THAT(parsed("[p]\nAWS_Access_Key_ID = AbC\n").at("p"), ElementsAre(Pair("aws_access_key_id", "AbC")));
}

TEST(AwsProfiles, a_value_may_hold_equal_signs_and_hashes_inside_words) {
  EXPECT_THAT(parsed("[p]\nk = a/b+c#d;e==\n").at("p"), ElementsAre(Pair("k", "a/b+c#d;e==")));
}

TEST(AwsProfiles, comments_and_blank_lines_are_passed_over) {
  const std::string_view text = "# one\n; two\n\n[p] # three\n  # four\nk = v ; five\n \t\nl = w # six\n";
  EXPECT_THAT(parsed(text).at("p"), ElementsAre(Pair("k", "v"), Pair("l", "w")));
}

TEST(AwsProfiles, files_of_windows_are_read) {
  EXPECT_THAT(parsed("\xef\xbb\xbf[p]\r\nk = v\r\n\r\n").at("p"), ElementsAre(Pair("k", "v")));
}

TEST(AwsProfiles, the_last_line_needs_no_end) { EXPECT_THAT(parsed("[p]\nk=v").at("p"), ElementsAre(Pair("k", "v"))); }

TEST(AwsProfiles, sections_of_one_name_are_merged_and_the_last_value_counts) {
  EXPECT_THAT(parsed("[p]\na=1\nb=1\n[q]\n[p]\nb=2\nb=3\n").at("p"), ElementsAre(Pair("a", "1"), Pair("b", "3")));
}

TEST(AwsProfiles, what_is_indented_under_a_key_belongs_to_it) {
  const std::string_view text = "[p]\ns3 =\n  max_concurrent_requests = 20\n  addressing_style = path\nregion = x\n";
  EXPECT_THAT(parsed(text).at("p"), ElementsAre(Pair("region", "x"), Pair("s3", "")));
}

TEST(AwsProfiles, a_section_may_be_indented_as_a_whole) {
  EXPECT_THAT(parsed("[p]\n  a = 1\n  b = 2\n[q]\n    a = 3\n").at("p"), ElementsAre(Pair("a", "1"), Pair("b", "2")));
}

TEST(AwsProfiles, an_empty_file_has_no_profiles) {
  EXPECT_THAT(parsed(""), IsEmpty());
  EXPECT_THAT(parsed("\n# nothing\n"), IsEmpty());
}

TEST(AwsProfiles, a_malformed_line_is_named_by_its_number_and_never_quoted) {
  for (const std::string_view wrong : {"hunter2", "[hunter2", "= hunter2", "[p]x hunter2"}) {
    const Error error = refused(fmt::format("[p]\na = 1\n{}\n", wrong));
    EXPECT_EQ(error.code(), Errc::invalid_argument) << wrong;
    EXPECT_THAT(error.message(), HasSubstr("/home/a/.aws/credentials line 3"));
    EXPECT_THAT(error.message(), Not(HasSubstr("hunter2")));
  }
}

TEST(AwsProfiles, a_key_before_any_section_is_malformed) {
  EXPECT_THAT(refused("a = hunter2\n[p]\n").message(), HasSubstr("line 1: a key before the first '[section]'"));
}

TEST(AwsProfiles, binary_bytes_are_malformed) {
  EXPECT_EQ(refused(std::string_view("\x00\x01\xff\xfe", 4)).code(), Errc::invalid_argument);
}

TEST(AwsProfiles, a_missing_file_has_no_profiles) {
  const auto profiles = load_aws_profiles("/no/such/file", AwsFileKind::config);
  ASSERT_TRUE(profiles);
  EXPECT_THAT(*profiles, IsEmpty());
}

TEST(SettingsFile, is_read_whole) {
  TemporaryDirectory directory;
  const std::string path = directory.path() / "file";
  std::ofstream(path) << "a\nb";
  EXPECT_EQ(load_settings_file(path).value(), "a\nb");
  EXPECT_EQ(load_settings_file(directory.path() / "none").value(), std::nullopt);
  EXPECT_EQ(load_settings_file(path + "/below").value(), std::nullopt);
}

TEST(SettingsFile, anything_but_a_regular_file_is_refused_at_once) {
  TemporaryDirectory directory;
  const std::string pipe = directory.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, directory.path().string(), std::string("/dev/zero")}) {
    const auto text = load_settings_file(path);
    ASSERT_FALSE(text) << path;
    EXPECT_EQ(text.error().code(), Errc::invalid_argument);
    EXPECT_THAT(text.error().message(), HasSubstr(path));
  }
}

TEST(SettingsFile, more_than_a_mebibyte_is_refused) {
  TemporaryDirectory directory;
  const std::string path = directory.path() / "file";
  std::ofstream(path).put('\n');
  std::filesystem::resize_file(path, 1 << 20);
  EXPECT_TRUE(load_settings_file(path));
  std::filesystem::resize_file(path, (1 << 20) + 1);
  EXPECT_EQ(load_settings_file(path).error().code(), Errc::invalid_argument);
}

}  // namespace cairn
