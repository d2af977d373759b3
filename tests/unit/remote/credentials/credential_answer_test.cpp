#include "remote/credentials/credential_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/support/test_environment.h"
#include "tests/unit/remote/credentials/credential_world.h"

namespace cairn {

using testing::HasSubstr;
using testing::Not;

TEST(AnswerTime, is_read_to_the_second) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(parse_time("2026-01-01T00:00:01Z"), 1'767'225'601'000'000'000);
  EXPECT_EQ(parse_time("2024-02-29T23:59:59.987654Z"), 1'709'251'199'000'000'000);
}

TEST(AnswerTime, may_be_local_with_its_offset) {
  EXPECT_EQ(parse_time("2026-01-01T01:30:00+01:30"), parse_time("2026-01-01T00:00:00Z"));
  EXPECT_EQ(parse_time("2025-12-31T16:00:00.25-08:00"), parse_time("2026-01-01T00:00:00Z"));
  EXPECT_EQ(parse_time("2026-01-01T00:00:00+00:00"), parse_time("2026-01-01T00:00:00UTC"));
}

TEST(AnswerTime, anything_else_is_no_time) {
  for (const char* text :
       {"", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "9999-01-01T00:00:00Z", "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+0100", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00 UTC", "2026-01-01T00:00:00.5",
        "-026-01-01T00:00:00Z", "0000-00-00T"}) {
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
  }
}

TEST(MetadataAnswer, holds_keys_token_and_end) {
  const CredentialWorld world;
  const auto found = decode_metadata_credentials(as_bytes(world.json("a", std::chrono::hours(1))));
  ASSERT_TRUE(found) << found.error().to_string();
  const Nanos expires = world.clock.wall_now() + std::chrono::nanoseconds(std::chrono::hours(1)).count();
  EXPECT_EQ(*found, (Credentials{"a-id", "a-hush", "a-token-hush", expires}));
}

TEST(MetadataAnswer, without_an_expiration_lasts) {
  const auto found = decode_metadata_credentials(as_bytes(R"({"AccessKeyId":"a","SecretAccessKey":"b"})"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->expires, std::nullopt);
}

TEST(MetadataAnswer, garbage_is_corrupt_and_never_quoted) {
  const std::string deep(60'000, '[');
  for (const std::string& text :
       {std::string(), std::string("hush"), std::string("<html>hush</html>"), std::string("[\"hush\"]"), deep,
        std::string("{\"AccessKeyId\": \"hush"), std::string(R"({"AccessKeyId": "hush"})"),
        std::string(R"({"AccessKeyId": 7, "SecretAccessKey": "hush"})"),
        std::string(R"({"AccessKeyId": "a", "SecretAccessKey": "hush", "Expiration": 7})"),
        std::string(R"({"AccessKeyId": "a", "SecretAccessKey": "hush", "Expiration": "hush"})"),
        std::string(R"({"AccessKeyId": "a\r\nx: hush", "SecretAccessKey": "hush"})"),
        std::string("{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"hush\xff\"}")}) {
    const auto found = decode_metadata_credentials(as_bytes(text));
    ASSERT_FALSE(found) << text.substr(0, 100);
    EXPECT_EQ(found.error().code(), Errc::corrupt) << text.substr(0, 100);
    EXPECT_THAT(found.error().message(), Not(HasSubstr("hush")));
  }
}

TEST(MetadataAnswer, another_code_than_success_is_a_refusal) {
  const auto found = decode_metadata_credentials(as_bytes(R"({"Code": "AssumeRoleUnauthorizedAccess"})"));
  EXPECT_EQ(found.error().code(), Errc::permission_denied);
  EXPECT_THAT(found.error().message(), HasSubstr("AssumeRoleUnauthorizedAccess"));
  const auto odd = decode_metadata_credentials(as_bytes(R"({"Code": "secret hush\n"})"));
  EXPECT_THAT(odd.error().message(), Not(HasSubstr("hush")));
}

TEST(StsAnswer, holds_keys_token_and_end) {
  const CredentialWorld world;
  const auto found =
      decode_sts_credentials(as_bytes(world.sts_xml("a", std::chrono::hours(1))), "AssumeRoleWithWebIdentity");
  ASSERT_TRUE(found) << found.error().to_string();
  const Nanos expires = world.clock.wall_now() + std::chrono::nanoseconds(std::chrono::hours(1)).count();
  EXPECT_EQ(*found, (Credentials{"a-id", "a-hush", "a-token-hush", expires}));
}

TEST(StsAnswer, garbage_is_corrupt_and_never_quoted) {
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "<a>";
  const std::string bomb = R"(<!DOCTYPE x [<!ENTITY a "hush"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>)";
  const CredentialWorld world;
  const std::string whole = world.sts_xml("a");
  for (const std::string& text :
       {std::string(), std::string("hush"), std::string("{\"hush\":1}"), std::string("<html>hush</html>"), deep, bomb,
        whole.substr(0, whole.size() / 2),
        std::string(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>hush"
            "</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")}) {
    const auto found = decode_sts_credentials(as_bytes(text), "AssumeRoleWithWebIdentity");
    ASSERT_FALSE(found) << text.substr(0, 100);
    EXPECT_EQ(found.error().code(), Errc::corrupt) << text.substr(0, 100);
    EXPECT_THAT(found.error().message(), Not(HasSubstr("hush")));
    EXPECT_EQ(decode_sts_error_code(as_bytes(text)), "");
  }
}

TEST(StsAnswer, an_error_has_a_code) {
  const std::string_view text = "<ErrorResponse xmlns='x'><Error><Code> AccessDenied </Code></Error></ErrorResponse>";
  EXPECT_EQ(decode_sts_error_code(as_bytes(text)), "AccessDenied");
}

TEST(StsAnswer, a_code_that_is_no_word_is_not_passed_on) {
  for (const std::string& code : {std::string("a-hush"), std::string("two words"), std::string(65, 'a')}) {
    const std::string text = "<ErrorResponse><Error><Code>" + code + "</Code></Error></ErrorResponse>";
    EXPECT_EQ(decode_sts_error_code(as_bytes(text)), "");
  }
}

TEST(SsoAnswer, holds_keys_and_an_end_in_milliseconds) {
  const std::string_view text =
      R"({"roleCredentials": {"accessKeyId": "a", "secretAccessKey": "b", "sessionToken": "c", "expiration": 1001}})";
  EXPECT_EQ(decode_sso_credentials(as_bytes(text)).value(), (Credentials{"a", "b", "c", 1'001'000'000}));
}

TEST(CredentialAnswers, with_any_bytes_changed_are_decoded_or_refused) {
  SeededRandom random(test_seed());
  const CredentialWorld world;
  const std::string process = R"({"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"})";
  const std::string sso =
      R"({"roleCredentials": {"accessKeyId": "a", "secretAccessKey": "b", "expiration": 1767225600000}})";
  const std::string token = R"({"accessToken": "a", "expiresAt": "2026-01-01T00:00:00Z"})";
  for (const std::string& whole : {world.json("a"), world.sts_xml("a"), process, sso, token}) {
    for (int i = 0; i < 2'000; ++i) {
      std::string text = whole;
      for (int changes = 0; changes < 3; ++changes) {
        text[random.next_u64() % text.size()] = static_cast<char>(random.next_u64());
      }
      const auto json = decode_metadata_credentials(as_bytes(text));
      const auto xml = decode_sts_credentials(as_bytes(text), "AssumeRoleWithWebIdentity");
      EXPECT_FALSE(json && xml);
      EXPECT_FALSE(decode_process_credentials(text) && decode_sso_credentials(as_bytes(text)));
      (void)decode_sso_token(text);
      decode_sts_error_code(as_bytes(text));
    }
  }
}

}  // namespace cairn
