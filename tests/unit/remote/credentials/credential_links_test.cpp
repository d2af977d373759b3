#include "remote/credentials/credential_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/unit/remote/credentials/credential_world.h"

namespace cairn {

using testing::HasSubstr;
using testing::Not;

namespace {

// Each test sets up one link; the others find nothing.
class CredentialLinksTest : public testing::Test {
 protected:
  Credentials found(const std::string& profile = "") {
    const auto chain = world_.chain(profile);
    const auto credentials = chain->credentials(test_context(), nullptr);
    EXPECT_TRUE(credentials) << credentials.error().to_string();
    source_ = chain->source();
    EXPECT_THAT(source_, Not(HasSubstr(kSecretMark)));
    return credentials.value_or(Credentials{});
  }

  // Fails with that code and these words.
  void expect_failure(Errc code, const std::vector<std::string>& words, const std::string& profile = "") {
    const Error error = world_.failure(profile);
    EXPECT_EQ(error.code(), code) << error.message();
    for (const std::string& word : words) EXPECT_THAT(error.message(), HasSubstr(word));
  }

  CredentialWorld world_;
  std::string source_;  // of what found() found
};

using EnvironmentLinkTest = CredentialLinksTest;
using WebIdentityLinkTest = CredentialLinksTest;
using ProfileLinkTest = CredentialLinksTest;
using ContainerLinkTest = CredentialLinksTest;
using InstanceLinkTest = CredentialLinksTest;

}  // namespace

TEST_F(EnvironmentLinkTest, keys_need_no_network) {
  world_.set_environment_keys("a");
  EXPECT_EQ(found(), (Credentials{"a-id", "a-hush", "", {}}));
  EXPECT_EQ(source_, "environment (AWS_ACCESS_KEY_ID)");
  EXPECT_TRUE(world_.http.asked().empty());
}

TEST_F(EnvironmentLinkTest, a_session_token_belongs_to_the_keys) {
  world_.set_environment_keys("a");
  world_.variables["AWS_SESSION_TOKEN"] = "token-hush\n";
  EXPECT_EQ(found().session_token, "token-hush");
}

TEST_F(EnvironmentLinkTest, half_a_pair_is_refused) {
  world_.variables["AWS_ACCESS_KEY_ID"] = "id-hush";
  expect_failure(Errc::invalid_argument, {"AWS_SECRET_ACCESS_KEY is not"});
  world_.variables = {{"AWS_SECRET_ACCESS_KEY", "hush"}};
  expect_failure(Errc::invalid_argument, {"AWS_ACCESS_KEY_ID is not"});
}

TEST_F(EnvironmentLinkTest, blank_variables_are_not_set) {
  world_.variables = {{"AWS_ACCESS_KEY_ID", ""}, {"AWS_SECRET_ACCESS_KEY", " "}};
  expect_failure(Errc::permission_denied, {"AWS_ACCESS_KEY_ID is not set"});
}

TEST_F(EnvironmentLinkTest, a_key_with_a_line_feed_inside_is_refused) {
  world_.set_environment_keys("a");
  world_.variables["AWS_SESSION_TOKEN"] = "hush\nx: hush";
  expect_failure(Errc::invalid_argument, {"line feed"});
}

TEST_F(WebIdentityLinkTest, the_token_goes_to_the_regions_sts_in_the_body) {
  world_.set_web_identity("a");
  world_.variables["AWS_ROLE_SESSION_NAME"] = "job 7";
  EXPECT_EQ(found().secret_access_key, "a-hush");
  EXPECT_EQ(source_, "web identity as arn:aws:iam::1:role/trainer");
  const auto asked = world_.http.asked();
  ASSERT_EQ(asked.size(), 1);
  EXPECT_EQ(asked[0].method + " " + asked[0].url, std::string("POST ") + kSts);
  EXPECT_EQ(asked[0].header("content-type"), "application/x-www-form-urlencoded");
  EXPECT_EQ(asked[0].body,
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Ftrainer&RoleSessionName=job%207&"
            "Version=2011-06-15&WebIdentityToken=jwt-hush");
  EXPECT_LE(asked[0].patience, std::chrono::seconds(10));
}

TEST_F(WebIdentityLinkTest, the_token_file_is_read_at_every_fetch) {
  world_.set_web_identity("a");
  const auto chain = world_.chain();
  ASSERT_TRUE(chain->credentials(test_context(), nullptr));
  world_.write("token", "renewed-hush");
  world_.clock.advance(std::chrono::minutes(59));
  world_.http.on("POST", kSts, 200, world_.sts_xml("b"));
  ASSERT_TRUE(chain->credentials(test_context(), nullptr));
  EXPECT_THAT(world_.http.asked().back().body, HasSubstr("WebIdentityToken=renewed-hush"));
}

TEST_F(WebIdentityLinkTest, the_endpoint_can_be_given) {
  world_.set_web_identity("a");
  world_.variables["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:9000/sts";
  world_.http.on("POST", "http://127.0.0.1:9000/sts/", 200, world_.sts_xml("b"));
  EXPECT_EQ(found().access_key_id, "b-id");
}

TEST_F(WebIdentityLinkTest, the_region_decides_on_the_endpoint) {
  world_.set_web_identity("a");
  const std::map<std::string, std::string> endpoints = {{"us-east-2", "https://sts.us-east-2.amazonaws.com/"},
                                                        {"cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/"},
                                                        {"", "https://sts.amazonaws.com/"}};
  for (const auto& [region, endpoint] : endpoints) {
    world_.http.on("POST", endpoint, 200, world_.sts_xml("a"));
    auto options = world_.options();
    options.region = region;
    ASSERT_TRUE(CredentialChain(options, world_.http, world_.clock).credentials(test_context(), nullptr)) << region;
    EXPECT_EQ(world_.http.asked().back().url, endpoint);
  }
  world_.variables["AWS_REGION"] = "us-east-2";
  auto options = world_.options();
  options.region.clear();
  ASSERT_TRUE(CredentialChain(options, world_.http, world_.clock).credentials(test_context(), nullptr));
  EXPECT_EQ(world_.http.asked().back().url, "https://sts.us-east-2.amazonaws.com/");
}

TEST_F(WebIdentityLinkTest, nothing_but_a_host_name_gets_the_token) {
  world_.set_web_identity("a");
  auto options = world_.options();
  options.region = "x@evil.org/";
  const auto odd = CredentialChain(options, world_.http, world_.clock).credentials(test_context(), nullptr);
  EXPECT_EQ(odd.error().code(), Errc::invalid_argument);
  for (const std::string url : {"sts.example.org", "ftp://sts.example.org", "https://user:hush@sts.example.org"}) {
    world_.variables["AWS_ENDPOINT_URL_STS"] = url;
    expect_failure(Errc::invalid_argument, {"AWS_ENDPOINT_URL_STS"});
  }
  EXPECT_TRUE(world_.http.asked().empty());
}

TEST_F(WebIdentityLinkTest, what_is_missing_is_named) {
  world_.set_web_identity("a");
  world_.write("token", "\n");
  expect_failure(Errc::invalid_argument, {world_.path("token"), "is empty"});
  world_.variables["AWS_WEB_IDENTITY_TOKEN_FILE"] = world_.path("none");
  expect_failure(Errc::invalid_argument, {world_.path("none"), "does not exist"});
  world_.variables.erase("AWS_ROLE_ARN");
  expect_failure(Errc::invalid_argument, {"AWS_ROLE_ARN is not"});
}

TEST_F(WebIdentityLinkTest, a_refusal_is_explained_by_its_code) {
  world_.set_web_identity("a");
  const auto refuse = [&](int status, const std::string& code) {
    world_.http.on("POST", kSts, status,
                   "<ErrorResponse><Error><Code>" + code + "</Code><Message>hush</Message></Error></ErrorResponse>");
  };
  refuse(403, "AccessDenied");
  expect_failure(Errc::permission_denied,
                 {"arn:aws:iam::1:role/trainer", kSts, "HTTP 403 AccessDenied", "trust policy"});
  refuse(400, "ExpiredTokenException");
  expect_failure(Errc::permission_denied, {"the token has expired"});
  refuse(400, "InvalidIdentityToken");
  expect_failure(Errc::permission_denied, {"issuer"});
  refuse(400, "IDPCommunicationError");
  expect_failure(Errc::unavailable, {"IDPCommunicationError"});
}

TEST_F(WebIdentityLinkTest, faults_of_server_and_network_pass) {
  world_.set_web_identity("a");
  world_.http.on("POST", kSts, 503, "<html>hush</html>");
  expect_failure(Errc::unavailable, {"HTTP 503"});
  world_.http.on("POST", kSts, Error(Errc::unavailable, "connection refused"));
  expect_failure(Errc::unavailable, {kSts, "connection refused"});
  world_.http.on("POST", kSts, Error(Errc::deadline_exceeded, "too slow"));
  expect_failure(Errc::unavailable, {"no answer within 10 s"});
  world_.http.on("POST", kSts, 200, "hush");
  expect_failure(Errc::corrupt, {kSts, "not XML"});
  world_.http.on("POST", kSts, 200, std::string(100'000, 'x'));
  expect_failure(Errc::corrupt, {kSts});
}

TEST_F(ProfileLinkTest, default_is_the_profile_if_none_is_named) {
  world_.set_profile_keys("default", "a");
  EXPECT_EQ(found(), (Credentials{"a-id", "a-hush", "", {}}));
  EXPECT_EQ(source_, "profile 'default' of " + world_.path(".aws/credentials"));
}

TEST_F(ProfileLinkTest, aws_profile_names_it_unless_the_url_does) {
  world_.variables["AWS_PROFILE"] = "training";
  world_.set_profile_keys("training", "a");
  EXPECT_EQ(found().access_key_id, "a-id");
  world_.set_profile_keys("url", "b");
  EXPECT_EQ(found("url").access_key_id, "b-id");
}

TEST_F(ProfileLinkTest, the_config_file_may_hold_the_keys) {
  world_.write(".aws/config", "[profile p]\naws_access_key_id=a\naws_secret_access_key=hush\naws_session_token=t\n");
  EXPECT_EQ(found("p"), (Credentials{"a", "hush", "t", {}}));
  EXPECT_EQ(source_, "profile 'p' of " + world_.path(".aws/config"));
}

TEST_F(ProfileLinkTest, keys_of_the_credentials_file_count_and_take_nothing_from_the_config_file) {
  world_.write(".aws/config", "[profile p]\naws_access_key_id=a\naws_secret_access_key=x\naws_session_token=t\n");
  world_.set_profile_keys("p", "b");
  EXPECT_EQ(found("p"), (Credentials{"b-id", "b-hush", "", {}}));
}

TEST_F(ProfileLinkTest, the_files_can_be_elsewhere) {
  world_.write("keys", "[default]\naws_access_key_id = a\naws_secret_access_key = hush\n");
  world_.variables["AWS_SHARED_CREDENTIALS_FILE"] = "~/keys";
  EXPECT_EQ(found().access_key_id, "a");
  world_.variables["AWS_SHARED_CREDENTIALS_FILE"] = "/no/such/file";
  world_.write("settings", "[default]\naws_access_key_id = b\naws_secret_access_key = hush\n");
  world_.variables["AWS_CONFIG_FILE"] = world_.path("settings");
  EXPECT_EQ(found().access_key_id, "b");
}

TEST_F(ProfileLinkTest, a_profile_that_is_named_must_exist) {
  world_.set_profile_keys("other", "a");
  const std::vector<std::string> words = {"'training'", world_.path(".aws/credentials"), world_.path(".aws/config")};
  expect_failure(Errc::invalid_argument, words, "training");
  world_.variables["AWS_PROFILE"] = "training";
  expect_failure(Errc::invalid_argument, words);
}

TEST_F(ProfileLinkTest, a_profile_without_keys_leaves_it_to_the_next_link) {
  world_.write(".aws/config", "[profile p]\nregion = eu-west-1\n");
  expect_failure(Errc::permission_denied, {"profile 'p' holds no keys"}, "p");
  world_.set_instance("a");
  EXPECT_EQ(found("p").access_key_id, "a-id");
}

TEST_F(ProfileLinkTest, half_a_pair_is_refused) {
  world_.write(".aws/credentials", "[default]\naws_access_key_id = hush\n");
  expect_failure(Errc::invalid_argument, {"profile 'default' of", "aws_access_key_id, but not aws_secret_access_key"});
  world_.write(".aws/credentials", "[default]\naws_secret_access_key = hush\n");
  expect_failure(Errc::invalid_argument, {"aws_secret_access_key, but not aws_access_key_id"});
}

TEST_F(ProfileLinkTest, a_malformed_file_is_named_with_its_line) {
  world_.write(".aws/credentials", "[default]\nhush\n");
  expect_failure(Errc::invalid_argument, {world_.path(".aws/credentials") + " line 2"});
  world_.write(".aws/credentials", "[default]\naws_access_key_id = a\naws_secret_access_key = two hush\n");
  expect_failure(Errc::invalid_argument, {"profile 'default' of", "no key has"});
}

TEST_F(ProfileLinkTest, a_file_that_must_not_be_read_is_named) {
  std::filesystem::create_directories(world_.path(".aws/credentials"));
  expect_failure(Errc::invalid_argument, {world_.path(".aws/credentials"), "no regular file"});
}

TEST_F(ProfileLinkTest, a_web_identity_of_the_profile_is_assumed) {
  world_.set_web_identity("a");
  world_.variables.clear();
  world_.write(".aws/config", fmt::format("[profile p]\nrole_arn = arn:role/p\nrole_session_name = me\n"
                                          "web_identity_token_file = {}\n",
                                          world_.path("token")));
  EXPECT_EQ(found("p").access_key_id, "a-id");
  EXPECT_EQ(source_, "profile 'p' of " + world_.path(".aws/config"));
  EXPECT_THAT(world_.http.asked().back().body, HasSubstr("RoleArn=arn%3Arole%2Fp&RoleSessionName=me&"));
}

TEST_F(ProfileLinkTest, half_a_web_identity_is_refused) {
  world_.write(".aws/config", "[profile p]\nrole_arn = arn\n");
  expect_failure(Errc::invalid_argument, {"role_arn, but not web_identity_token_file"}, "p");
  world_.write(".aws/config", "[profile p]\nweb_identity_token_file = /x\n");
  expect_failure(Errc::invalid_argument, {"web_identity_token_file, but not role_arn"}, "p");
}

TEST_F(ProfileLinkTest, what_is_not_supported_is_named_with_a_way_out) {
  const std::map<std::string, std::string> settings = {
      {"login_session", "login_session = arn"},
      {"mfa_serial", "role_arn = arn\nsource_profile = b\nmfa_serial = hush"}};
  for (const auto& [key, text] : settings) {
    world_.write(".aws/config", "[profile p]\n" + text + "\n");
    expect_failure(Errc::invalid_argument,
                   {"profile 'p' of " + world_.path(".aws/config") + " sets " + key,
                    "aws configure export-credentials --profile p --format env"},
                   "p");
  }
}

TEST_F(ProfileLinkTest, keys_that_a_tool_left_beside_sso_are_used) {
  world_.write(".aws/config", "[profile p]\nsso_session = corp\n");
  world_.set_profile_keys("p", "a");
  EXPECT_EQ(found("p").access_key_id, "a-id");
}

TEST_F(ContainerLinkTest, the_relative_uri_is_asked_at_the_containers_endpoint) {
  world_.set_container("a");
  EXPECT_EQ(found().session_token, "a-token-hush");
  EXPECT_EQ(source_, "container endpoint http://169.254.170.2");
  EXPECT_EQ(world_.http.asked().back().header("authorization"), "");
  EXPECT_LE(world_.http.asked().back().patience, std::chrono::seconds(2));
}

TEST_F(ContainerLinkTest, the_token_of_the_file_counts_before_that_of_the_variable) {
  world_.set_container("a");
  world_.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "Bearer variable-hush";
  found();
  EXPECT_EQ(world_.http.asked().back().header("authorization"), "Bearer variable-hush");
  world_.write("token", "file-hush\n");
  world_.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = world_.path("token");
  found();
  EXPECT_EQ(world_.http.asked().back().header("authorization"), "file-hush");
}

TEST_F(ContainerLinkTest, a_token_that_would_begin_another_header_is_refused) {
  world_.set_container("a");
  world_.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "hush\r\nx: y";
  expect_failure(Errc::invalid_argument, {"AWS_CONTAINER_AUTHORIZATION_TOKEN"});
  world_.variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = world_.path("none");
  expect_failure(Errc::invalid_argument, {world_.path("none"), "does not exist"});
}

TEST_F(ContainerLinkTest, a_full_uri_is_asked_where_the_token_stays_private) {
  for (const std::string url : {"https://example.org/x", "http://127.0.0.1:8080/x", "http://127.9.9.9/x",
                                "http://localhost/x", "http://[::1]:80/x", "http://169.254.170.2/x",
                                "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials"}) {
    world_.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    world_.http.on("GET", url, 200, world_.json("a"));
    EXPECT_EQ(found().access_key_id, "a-id") << url;
  }
}

TEST_F(ContainerLinkTest, any_other_full_uri_is_refused_before_it_is_asked) {
  for (const std::string url :
       {"http://example.org/x", "http://127.0.0.1.example.org/x", "http://localhost@example.org/x", "http://[::2]/x",
        "http://[::1/x", "http://127.0.0.1\\@example.org/", "http://:80/x", "http://localhost:x/", "http:///x",
        "https://user:hush@example.org/", "ftp://localhost/x", "/x", "http://localhost/a b",
        "http://169.254.170.3/x"}) {
    world_.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    expect_failure(Errc::invalid_argument, {"AWS_CONTAINER_CREDENTIALS_FULL_URI"});
  }
  world_.variables["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "@example.org/x";
  expect_failure(Errc::invalid_argument, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"});
  EXPECT_TRUE(world_.http.asked().empty());
}

TEST_F(ContainerLinkTest, a_failure_names_the_endpoint_and_not_the_path) {
  world_.set_container("a");
  for (const auto& [status, code] : std::map<int, Errc>{{401, Errc::permission_denied},
                                                        {404, Errc::permission_denied},
                                                        {302, Errc::permission_denied},
                                                        {429, Errc::unavailable},
                                                        {500, Errc::unavailable}}) {
    world_.http.on("GET", kEcs, status, "hush");
    expect_failure(code, {"http://169.254.170.2: ", fmt::format("HTTP {}", status)});
  }
  world_.http.on("GET", kEcs, 200, "hush");
  expect_failure(Errc::corrupt, {"http://169.254.170.2: ", "not a JSON object"});
  world_.http.on("GET", kEcs, Error(Errc::deadline_exceeded, "too slow"));
  expect_failure(Errc::unavailable, {"no answer within 2 s"});
}

TEST_F(InstanceLinkTest, a_session_precedes_the_questions) {
  world_.set_instance("a");
  EXPECT_EQ(found().session_token, "a-token-hush");
  EXPECT_EQ(source_, "instance role my-role");
  const auto asked = world_.http.asked();
  ASSERT_EQ(asked.size(), 3);
  EXPECT_NE(asked[0].header("x-aws-ec2-metadata-token-ttl-seconds"), "");
  EXPECT_EQ(asked[1].header("x-aws-ec2-metadata-token"), "imds-hush");
  EXPECT_EQ(asked[2].header("x-aws-ec2-metadata-token"), "imds-hush");
  for (const auto& request : asked) EXPECT_LE(request.patience, std::chrono::seconds(1));
}

TEST_F(InstanceLinkTest, can_be_switched_off) {
  world_.set_instance("a");
  world_.variables["AWS_EC2_METADATA_DISABLED"] = "True";
  expect_failure(Errc::permission_denied, {"AWS_EC2_METADATA_DISABLED is true"});
  EXPECT_TRUE(world_.http.asked().empty());
}

TEST_F(InstanceLinkTest, can_be_elsewhere) {
  world_.variables["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = "http://127.0.0.1:1/";
  world_.http.on("PUT", "http://127.0.0.1:1/latest/api/token", 200, "imds-hush");
  world_.http.on("GET", "http://127.0.0.1:1/latest/meta-data/iam/security-credentials/", 200, "r\n");
  world_.http.on("GET", "http://127.0.0.1:1/latest/meta-data/iam/security-credentials/r", 200, world_.json("a"));
  EXPECT_EQ(found().access_key_id, "a-id");
}

TEST_F(InstanceLinkTest, a_machine_that_is_no_instance_is_told_after_one_short_request) {
  world_.http.on("PUT", kImdsToken, Error(Errc::deadline_exceeded, "too slow"));
  expect_failure(Errc::permission_denied, {kImds, "cannot be reached"});
  EXPECT_EQ(world_.http.asked().size(), 1);
}

TEST_F(InstanceLinkTest, an_instance_without_a_role_has_no_credentials) {
  world_.set_instance("a");
  world_.http.on("GET", kImdsRoles, 404, "<html>");
  expect_failure(Errc::permission_denied, {"no role is attached"});
}

TEST_F(InstanceLinkTest, a_service_without_sessions_has_no_credentials) {
  for (const int status : {400, 403, 404, 405}) {
    world_.http.on("PUT", kImdsToken, status, "hush");
    expect_failure(Errc::permission_denied, {"offers no IMDSv2", std::to_string(status)});
  }
}

TEST_F(InstanceLinkTest, faults_of_the_service_pass) {
  world_.set_instance("a");
  const std::string role = std::string(kImdsRoles) + "my-role";
  world_.http.on("GET", role, 500, "hush");
  expect_failure(Errc::unavailable, {"instance metadata of " + std::string(kImds), "HTTP 500"});
  world_.http.on("GET", role, Error(Errc::unavailable, "connection reset"));
  expect_failure(Errc::unavailable, {"connection reset"});
  world_.http.on("PUT", kImdsToken, 503, "hush");
  expect_failure(Errc::unavailable, {"HTTP 503"});
}

TEST_F(InstanceLinkTest, garbage_is_corrupt) {
  world_.set_instance("a");
  world_.http.on("GET", std::string(kImdsRoles) + "my-role", 200, "<html>hush</html>");
  expect_failure(Errc::corrupt, {"instance metadata of", "not a JSON object"});
  for (const std::string role : {"", "\n", "<html>hush</html>", "../../hush"}) {
    world_.http.on("GET", kImdsRoles, 200, role);
    expect_failure(Errc::corrupt, {"no role's name"});
  }
  for (const std::string token : {"", "two hush", "hush\r\nx: y"}) {
    world_.http.on("PUT", kImdsToken, 200, token);
    expect_failure(Errc::corrupt, {"no session token"});
  }
}

}  // namespace cairn
