// What a profile can name besides keys: credential_process, SSO, and the sources of a role.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "remote/credentials/command_line.h"
#include "tests/unit/remote/credentials/credential_world.h"

namespace cairn {

using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr const char* kPortal =
    "https://portal.sso.eu-central-1.amazonaws.com/federation/credentials?account_id=123456789012&role_name=Trainer";
// The SHA-1 of "corp" and of "https://corp.example/start", as sha1sum has them.
constexpr const char* kSessionToken = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
constexpr const char* kLegacyToken = ".aws/sso/cache/f7c9b39d0b4c7a7d82c79307585f77e1c5e74378.json";

class ProfileSourcesTest : public testing::Test {
 protected:
  void config(const std::string& text) { world_.write(".aws/config", text); }

  Credentials found(const std::string& profile = "p") {
    const auto chain = world_.chain(profile);
    const auto credentials = chain->credentials(test_context(), nullptr);
    EXPECT_TRUE(credentials) << credentials.error().to_string();
    source_ = chain->source();
    return credentials.value_or(Credentials{});
  }

  void expect_failure(Errc code, const std::vector<std::string>& words, const std::string& profile = "p") {
    const Error error = world_.failure(profile);
    EXPECT_EQ(error.code(), code) << error.message();
    for (const std::string& word : words) EXPECT_THAT(error.message(), HasSubstr(word));
  }

  // A program of that name, run by the shell, as `credential_process` of profile p.
  void program(const std::string& script) {
    world_.write("helper", "#!/bin/sh\n" + script);
    std::filesystem::permissions(world_.path("helper"), std::filesystem::perms::owner_all);
    config("[profile p]\ncredential_process = " + world_.path("helper") + "\n");
  }

  // It prints credentials of that name.
  [[nodiscard]] std::string prints(const std::string& name) const {
    return fmt::format(
        "echo '{{\"Version\": 1, \"AccessKeyId\": \"{}-id\", \"SecretAccessKey\": \"{}-hush\", \"SessionToken\": "
        "\"{}-token-hush\", \"Expiration\": \"{}\"}}'\n",
        name, name, name, world_.in(std::chrono::hours(1)));
  }

  void sso_profile() {
    config(
        "[profile p]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Trainer\n"
        "[sso-session corp]\nsso_region = eu-central-1\nsso_start_url = https://corp.example/start\n");
  }
  void sso_token(const std::string& path, std::chrono::seconds lifetime = std::chrono::hours(8)) {
    world_.write(path, fmt::format(R"({{"accessToken": "sso-hush", "expiresAt": "{}", "region": "eu-central-1"}})",
                                   world_.in(lifetime)));
  }
  [[nodiscard]] std::string portal_answer(const std::string& name) const {
    return fmt::format(R"({{"roleCredentials": {{"accessKeyId": "{}-id", "secretAccessKey": "{}-hush",
                           "sessionToken": "{}-token-hush", "expiration": {}}}}})",
                       name, name, name, world_.clock.wall_now() / 1'000'000 + 3'600'000);
  }

  // What STS answers to AssumeRole.
  [[nodiscard]] std::string assumed(const std::string& name) const {
    std::string xml = world_.sts_xml(name);
    for (size_t at = 0; (at = xml.find("WithWebIdentity", at)) != std::string::npos;) xml.erase(at, 15);
    return xml;
  }

  CredentialWorld world_;
  std::string source_;
};

using CredentialProcessTest = ProfileSourcesTest;
using SsoTest = ProfileSourcesTest;
using SourceProfileTest = ProfileSourcesTest;

std::vector<std::string> words_of(std::string_view line) { return split_command(line).value(); }

Result<std::string> run(const std::string& script, size_t most_bytes = 1000,
                        std::chrono::milliseconds timeout = std::chrono::seconds(10),
                        const RequestContext& context = test_context()) {
  return run_command({"/bin/sh", "-c", script}, most_bytes, timeout, context);
}

}  // namespace

TEST(CommandLine, words_are_separated_by_blanks_and_kept_by_quotes) {
  EXPECT_THAT(words_of("/bin/x  --key a\t-b"), ElementsAre("/bin/x", "--key", "a", "-b"));
  EXPECT_THAT(words_of(R"("/opt/my tools/x" 'it is' "say \"hi\" \\ \n" a\ b '\')"),
              ElementsAre("/opt/my tools/x", "it is", R"(say "hi" \ \n)", "a b", "\\"));
  EXPECT_THAT(words_of("x '' a''b"), ElementsAre("x", "", "ab"));
}

TEST(CommandLine, nothing_is_expanded) {
  EXPECT_THAT(words_of("x $HOME ~ *.pem `id` a|b;c>d"), ElementsAre("x", "$HOME", "~", "*.pem", "`id`", "a|b;c>d"));
}

TEST(CommandLine, a_line_that_ends_too_soon_is_refused) {
  for (const char* line : {"", "  ", "x 'a", "x \"a", "x \\", "'' a"}) {
    EXPECT_EQ(split_command(line).error().code(), Errc::invalid_argument) << line;
  }
}

TEST(RunCommand, gives_what_is_printed_and_nothing_of_stderr) {
  EXPECT_EQ(run("echo out; echo err >&2").value(), "out\n");
  EXPECT_EQ(run_command({"sh", "-c", "cat; echo $#", "x", "a b"}, 10, std::chrono::seconds(10), test_context()).value(),
            "1\n");
}

TEST(RunCommand, a_program_gets_no_descriptor_of_ours) {
  const UniqueFd leaked(::dup(STDERR_FILENO));                // without O_CLOEXEC
  EXPECT_EQ(run("ls /proc/self/fd | wc -w").value(), "4\n");  // 0 to 2, and what ls reads
}

TEST(RunCommand, a_failure_is_told_with_its_status) {
  EXPECT_EQ(run("exit 7").error().to_string(), "permission denied: it failed with status 7");
  EXPECT_EQ(run("kill -9 $$").error().to_string(), "permission denied: signal 9 ended it");
  const auto missing = run_command({"/no/such/program"}, 10, std::chrono::seconds(10), test_context());
  EXPECT_EQ(missing.error().to_string(), "invalid argument: it cannot be run: No such file or directory");
}

TEST(RunCommand, one_that_takes_too_long_is_ended_with_all_that_it_started) {
  const TemporaryDirectory directory;
  const std::string fifo = (directory.path() / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const UniqueFd held(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  const auto begin = std::chrono::steady_clock::now();
  const auto late = run(fmt::format("sleep 1000 >{} & wait", fifo), 1000, std::chrono::seconds(2));
  EXPECT_EQ(late.error().to_string(), "unavailable: it did not end within 2 s");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  pollfd ended{held.get(), POLLIN, 0};  // it is hung up once whoever had it open for writing is gone
  ASSERT_EQ(::poll(&ended, 1, 10'000), 1);
  EXPECT_EQ(ended.revents, POLLHUP);
}

TEST(RunCommand, one_that_leaves_something_behind_is_not_waited_for_any_longer) {
  const TemporaryDirectory directory;
  const std::string go = (directory.path() / "go").string();
  // What is left behind holds the pipe, and ends when it is told to.
  const auto text = run(fmt::format("(while [ ! -e {} ]; do sleep 0.05; done) & echo done", go));
  EXPECT_EQ(text.value(), "done\n");
  std::ofstream(go) << "";
}

TEST(RunCommand, one_that_prints_without_end_is_ended) {
  EXPECT_EQ(run("yes").error().to_string(), "corrupt: it prints more than 1000 bytes");
  EXPECT_EQ(run("printf aaaa", 4).value(), "aaaa");
  EXPECT_FALSE(run("printf aaaaa", 4));
}

TEST(RunCommand, the_callers_deadline_and_stop_are_kept) {
  const auto late =
      run("sleep 1000", 10, std::chrono::seconds(10), RequestContext::within(std::chrono::milliseconds(50)));
  EXPECT_EQ(late.error().code(), Errc::deadline_exceeded);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = run("sleep 1000", 10, std::chrono::seconds(10),
                           RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token()));
  EXPECT_EQ(stopped.error().code(), Errc::cancelled);
}

TEST_F(CredentialProcessTest, what_it_prints_are_the_credentials) {
  program(prints("a"));
  const Nanos expires = world_.clock.wall_now() + std::chrono::nanoseconds(std::chrono::hours(1)).count();
  EXPECT_EQ(found(), (Credentials{"a-id", "a-hush", "a-token-hush", expires}));
  EXPECT_EQ(source_, "profile 'p' of " + world_.path(".aws/config"));
  EXPECT_TRUE(world_.http.asked().empty());
}

TEST_F(CredentialProcessTest, it_is_run_again_before_they_expire) {
  program(prints("a"));
  const auto chain = world_.chain("p");
  ASSERT_TRUE(chain->credentials(test_context(), nullptr));
  world_.clock.advance(std::chrono::minutes(56));
  program(prints("b"));
  EXPECT_EQ(chain->credentials(test_context(), nullptr)->access_key_id, "b-id");
}

TEST_F(CredentialProcessTest, keys_of_the_profile_count_before_it) {
  program("exit 1\n");
  world_.set_profile_keys("p", "a");
  EXPECT_EQ(found().access_key_id, "a-id");
}

TEST_F(CredentialProcessTest, no_shell_is_between) {
  config(
      "[profile p]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": "
      "\"$HOME\"}'\n");
  EXPECT_EQ(found().secret_access_key, "$HOME");
}

TEST_F(CredentialProcessTest, whatever_goes_wrong_is_told_without_a_secret) {
  const std::string where = "profile 'p' of " + world_.path(".aws/config") + ": credential_process: ";
  const std::vector<std::tuple<std::string, Errc, std::string>> faults = {
      {"echo hush; echo hush >&2; exit 3\n", Errc::permission_denied, "it failed with status 3"},
      {"echo hush\n", Errc::corrupt, "not a JSON object"},
      {"echo '{\"Version\": 2, \"AccessKeyId\": \"a-hush\", \"SecretAccessKey\": \"hush\"}'\n", Errc::corrupt,
       "not of Version 1"},
      {"echo '{\"AccessKeyId\": \"a-hush\", \"SecretAccessKey\": \"hush\"}'\n", Errc::corrupt, "not of Version 1"},
      {"echo '{\"Version\": 1, \"AccessKeyId\": \"a-hush\"}'\n", Errc::corrupt, "its secret is missing"},
      {"echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"hush hush\"}'\n", Errc::corrupt,
       "no key has"},
      {"echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"hush\", \"Expiration\": 7}'\n",
       Errc::corrupt, "not a time"},
      {"head -c 70000 /dev/zero\n", Errc::corrupt, "more than 65536 bytes"}};
  for (const auto& [script, code, words] : faults) {
    program(script);
    expect_failure(code, {where, words});
  }
  config("[profile p]\ncredential_process = /no/such --key hush\n");
  expect_failure(Errc::invalid_argument, {where, "cannot be run: No such file"});
  config("[profile p]\ncredential_process = /bin/echo 'hush\n");
  expect_failure(Errc::invalid_argument, {where, "quote"});
}

TEST_F(CredentialProcessTest, credentials_that_have_expired_already_are_refused) {
  program(
      "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"hush\", \"Expiration\": "
      "\"2020-01-01T00:00:00Z\"}'\n");
  expect_failure(Errc::unavailable, {"have expired already"});
}

TEST_F(SsoTest, the_token_of_the_session_is_shown_to_the_portal_of_its_region) {
  sso_profile();
  sso_token(kSessionToken);
  world_.http.on("GET", kPortal, 200, portal_answer("a"));
  const Nanos expires = world_.clock.wall_now() + std::chrono::nanoseconds(std::chrono::hours(1)).count();
  EXPECT_EQ(found(), (Credentials{"a-id", "a-hush", "a-token-hush", expires}));
  EXPECT_EQ(source_, "profile 'p' of " + world_.path(".aws/config"));
  EXPECT_EQ(world_.http.asked().back().header("x-amz-sso_bearer_token"), "sso-hush");
  EXPECT_LE(world_.http.asked().back().patience, std::chrono::seconds(10));
}

TEST_F(SsoTest, a_profile_of_the_older_form_has_all_in_itself) {
  config(
      "[profile p]\nsso_start_url = https://corp.example/start\nsso_region = eu-central-1\n"
      "sso_account_id = 123456789012\nsso_role_name = Trainer\n");
  world_.write(kLegacyToken, R"({"accessToken": "sso-hush", "expiresAt": "2026-01-01T08:00:00UTC"})");
  world_.http.on("GET", kPortal, 200, portal_answer("a"));
  EXPECT_EQ(found().access_key_id, "a-id");
}

TEST_F(SsoTest, who_has_not_signed_in_or_not_lately_is_told_to) {
  sso_profile();
  const std::string login = "run `aws sso login --profile p`";
  expect_failure(Errc::permission_denied, {"nobody has signed in", world_.path(kSessionToken), login});
  sso_token(kSessionToken, std::chrono::seconds(0));
  expect_failure(Errc::permission_denied, {"the SSO token of", "has expired", login});
  for (const char* text :
       {"hush", "[]", R"({"accessToken": "hush"})", R"({"accessToken": "hush", "expiresAt": "hush"})",
        R"({"accessToken": "hush\r\nx: y", "expiresAt": "2027-01-01T00:00:00Z"})"}) {
    world_.write(kSessionToken, text);
    expect_failure(Errc::corrupt, {world_.path(kSessionToken), login});
  }
  EXPECT_TRUE(world_.http.asked().empty());
}

TEST_F(SsoTest, a_new_sign_in_is_found_when_credentials_are_renewed) {
  sso_profile();
  sso_token(kSessionToken, std::chrono::minutes(30));
  world_.http.on("GET", kPortal, 200, portal_answer("a"));
  const auto chain = world_.chain("p");
  ASSERT_TRUE(chain->credentials(test_context(), nullptr));
  world_.clock.advance(std::chrono::minutes(57));
  EXPECT_EQ(chain->credentials(test_context(), nullptr)->access_key_id, "a-id");  // they last, the token does not
  sso_token(kSessionToken);
  world_.http.on("GET", kPortal, 200, portal_answer("b"));
  world_.clock.advance(std::chrono::minutes(1));
  EXPECT_EQ(chain->credentials(test_context(), nullptr)->access_key_id, "b-id");
}

TEST_F(SsoTest, what_the_portal_refuses_is_explained) {
  sso_profile();
  sso_token(kSessionToken);
  const std::string where =
      "profile 'p' of " + world_.path(".aws/config") + ": portal.sso.eu-central-1.amazonaws.com: ";
  world_.http.on("GET", kPortal, 401, "hush");
  expect_failure(Errc::permission_denied, {where, "HTTP 401", "aws sso login --profile p"});
  world_.http.on("GET", kPortal, 403, "hush");
  expect_failure(Errc::permission_denied,
                 {where, "HTTP 403", "has this user the role 'Trainer' in account '123456789012'?"});
  world_.http.on("GET", kPortal, 503, "hush");
  expect_failure(Errc::unavailable, {where, "HTTP 503"});
  world_.http.on("GET", kPortal, Error(Errc::deadline_exceeded, "too slow"));
  expect_failure(Errc::unavailable, {where, "no answer within 10 s"});
  for (const char* text :
       {"hush", "{}", R"({"roleCredentials": "hush"})",
        R"({"roleCredentials": {"accessKeyId": "a", "secretAccessKey": "hush"}})",
        R"({"roleCredentials": {"accessKeyId": "a", "secretAccessKey": "hush", "expiration": 1e300}})",
        R"({"roleCredentials": {"accessKeyId": "a", "secretAccessKey": "hush",
                               "expiration": 18446744073709551615}})"}) {
    world_.http.on("GET", kPortal, 200, text);
    expect_failure(Errc::corrupt, {where});
  }
}

TEST_F(SsoTest, what_is_missing_in_the_files_is_named) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"[profile p]\nsso_session = corp\n", "no section [sso-session corp] is in"},
      {"[profile p]\nsso_session = corp\nsso_role_name = x\n[sso-session corp]\nsso_region = eu\n",
       "no sso_account_id"},
      {"[profile p]\nsso_session = corp\nsso_account_id = 1\n[sso-session corp]\nsso_region = eu\n",
       "no sso_role_name"},
      {"[profile p]\nsso_start_url = https://x\nsso_account_id = 1\nsso_role_name = x\n", "sso_region is missing"},
      {"[profile p]\nsso_start_url = https://x\nsso_region = evil.example/\nsso_account_id = 1\nsso_role_name = x\n",
       "no region's name"}};
  for (const auto& [text, words] : files) {
    config(text);
    expect_failure(Errc::invalid_argument, {"profile 'p' of " + world_.path(".aws/config"), words});
  }
}

TEST_F(SourceProfileTest, the_role_is_asked_for_with_the_sources_signature) {
  config(
      "[profile p]\nrole_arn = arn:aws:iam::1:role/t\nsource_profile = base\nexternal_id = x/1\n"
      "role_session_name = job\nduration_seconds = 900\n");
  world_.set_profile_keys("base", "base");
  world_.http.on("POST", kSts, 200, assumed("a"));
  EXPECT_EQ(found().access_key_id, "a-id");
  EXPECT_EQ(source_, "profile 'p' of " + world_.path(".aws/config"));
  const auto asked = world_.http.asked().back();
  EXPECT_EQ(asked.body,
            "Action=AssumeRole&DurationSeconds=900&ExternalId=x%2F1&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Ft&"
            "RoleSessionName=job&Version=2011-06-15");
  // The signature is botocore's of the same request.
  EXPECT_EQ(asked.header("Authorization"),
            "AWS4-HMAC-SHA256 Credential=base-id/20260101/eu-west-1/sts/aws4_request,SignedHeaders=accept;content-type;"
            "host;x-amz-content-sha256;x-amz-date,Signature="
            "ed5bf6cb19963275df491fc914584c12db830e59bc4e8a3b60e14722fb2c4fc7");
}

TEST_F(SourceProfileTest, a_source_may_be_a_role_by_another_source) {
  config(
      "[profile p]\nrole_arn = arn:role/p\nsource_profile = q\n[profile q]\nrole_arn = arn:role/q\n"
      "source_profile = base\n");
  world_.set_profile_keys("base", "base");
  world_.http.on("POST", kSts, [this](const HttpRequest& request, const RequestContext&) -> Result<HttpAnswer> {
    const bool is_q = as_text(request.body).find("role%2Fq") != std::string_view::npos;
    return HttpAnswer{200, {}, Buffer::copy_of(as_bytes(assumed(is_q ? "q" : "a")))};
  });
  EXPECT_EQ(found().access_key_id, "a-id");
  const auto asked = world_.http.asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_THAT(asked[0].header("Authorization"), HasSubstr("Credential=base-id/"));
  EXPECT_THAT(asked[1].header("Authorization"), HasSubstr("Credential=q-id/"));
  EXPECT_EQ(asked[1].header("x-amz-security-token"), "q-token-hush");
}

TEST_F(SourceProfileTest, a_source_may_sign_in_by_sso_or_run_a_process) {
  sso_profile();
  const std::string sso =
      "[profile role]\nrole_arn = arn:role/r\nsource_profile = p\n[profile p]\nsso_session = corp\n"
      "sso_account_id = 123456789012\nsso_role_name = Trainer\n[sso-session corp]\nsso_region = eu-central-1\n";
  config(sso);
  sso_token(kSessionToken);
  world_.http.on("GET", kPortal, 200, portal_answer("sso"));
  world_.http.on("POST", kSts, 200, assumed("a"));
  EXPECT_EQ(found("role").access_key_id, "a-id");
  EXPECT_EQ(world_.http.asked().back().header("x-amz-security-token"), "sso-token-hush");
  program(prints("process"));
  config("[profile role]\nrole_arn = arn:role/r\nsource_profile = p\n[profile p]\ncredential_process = " +
         world_.path("helper") + "\n");
  EXPECT_EQ(found("role").access_key_id, "a-id");
  EXPECT_EQ(world_.http.asked().back().header("x-amz-security-token"), "process-token-hush");
}

TEST_F(SourceProfileTest, a_profile_that_names_itself_means_its_keys) {
  config("[profile p]\nrole_arn = arn:role/p\nsource_profile = p\n");
  world_.set_profile_keys("p", "own");
  world_.http.on("POST", kSts, 200, assumed("a"));
  EXPECT_EQ(found().access_key_id, "a-id");
  EXPECT_THAT(world_.http.asked().back().header("Authorization"), HasSubstr("Credential=own-id/"));
}

TEST_F(SourceProfileTest, circles_and_long_chains_are_refused_before_anybody_is_asked) {
  config("[profile p]\nrole_arn = r\nsource_profile = q\n[profile q]\nrole_arn = r\nsource_profile = p\n");
  expect_failure(Errc::invalid_argument, {"leads in a circle: p -> q -> p"});
  std::string chain;
  for (int i = 0; i < 6; ++i) chain += fmt::format("[profile p{}]\nrole_arn = r\nsource_profile = p{}\n", i, i + 1);
  config(chain);
  expect_failure(Errc::invalid_argument, {"more than 5 roles", "p0 -> p1 -> p2 -> p3 -> p4"}, "p0");
  world_.set_profile_keys("p6", "base");
  world_.http.on("POST", kSts, 200, assumed("a"));
  EXPECT_EQ(found("p1").access_key_id, "a-id");
  EXPECT_EQ(world_.http.asked().size(), 5U);
}

TEST_F(SourceProfileTest, a_source_that_gives_nothing_is_named) {
  config("[profile p]\nrole_arn = r\nsource_profile = base\n");
  const std::string where = "profile 'p' of " + world_.path(".aws/config") + ": source_profile: ";
  expect_failure(Errc::invalid_argument, {where, "profile 'base' is neither in"});
  config("[profile p]\nrole_arn = r\nsource_profile = base\n[profile base]\nregion = eu\n");
  expect_failure(Errc::permission_denied, {where, "profile 'base' holds no keys"});
  config("[profile p]\nrole_arn = r\nsource_profile = p\n");
  expect_failure(Errc::permission_denied, {"names itself, but profile 'p' holds no keys"});
}

TEST_F(SourceProfileTest, settings_that_contradict_each_other_or_cannot_work_are_refused) {
  world_.set_profile_keys("base", "base");
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"source_profile = base\ncredential_source = Environment\n", "sets both source_profile and credential_source"},
      {"source_profile = base\nweb_identity_token_file = /x\n", "sets both web_identity_token_file and source_profile"},
      {"source_profile = base\nmfa_serial = arn\n", "sets mfa_serial, which is not supported"},
      {"source_profile = base\nduration_seconds = 1h\n", "duration_seconds is a number from 900 to 43200"},
      {"source_profile = base\nduration_seconds = 899\n", "duration_seconds is a number from 900 to 43200"},
      {"credential_source = Moon\n", "credential_source is one of Environment, EcsContainer, Ec2InstanceMetadata"}};
  for (const auto& [text, words] : settings) {
    config("[profile p]\nrole_arn = r\n" + text);
    expect_failure(Errc::invalid_argument, {"profile 'p' of " + world_.path(".aws/config"), words});
  }
  EXPECT_TRUE(world_.http.asked().empty());
}

TEST_F(SourceProfileTest, the_source_may_be_the_environment_the_container_or_the_instance) {
  const auto signer_of = [this](const std::string& source) {
    config("[profile p]\nrole_arn = r\ncredential_source = " + source + "\n");
    world_.http.on("POST", kSts, 200, assumed("a"));
    EXPECT_EQ(found().access_key_id, "a-id") << source;
    return world_.http.asked().back().header("Authorization");
  };
  config("[profile p]\nrole_arn = r\ncredential_source = Environment\n");
  expect_failure(Errc::permission_denied, {"credential_source: AWS_ACCESS_KEY_ID is not set"});
  world_.set_container("container");
  world_.set_instance("instance");
  EXPECT_THAT(signer_of("EcsContainer"), HasSubstr("Credential=container-id/"));
  EXPECT_THAT(signer_of("Ec2InstanceMetadata"), HasSubstr("Credential=instance-id/"));
  world_.set_environment_keys("environment");
  EXPECT_THAT(signer_of("Environment"), HasSubstr("Credential=environment-id/"));
}

TEST_F(SourceProfileTest, a_refusal_is_explained) {
  config("[profile p]\nrole_arn = arn:role/p\nsource_profile = base\n");
  world_.set_profile_keys("base", "base");
  world_.http.on("POST", kSts, 403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>");
  expect_failure(Errc::permission_denied, {"profile 'p' of", "assume role arn:role/p at", "sts:AssumeRole"});
  world_.http.on("POST", kSts, 403, "<Error><Code>AccessDenied</Code></Error>");
  expect_failure(Errc::permission_denied, {"HTTP 403 AccessDenied"});
  world_.http.on("POST", kSts, 200, world_.sts_xml("a"));  // of another operation
  expect_failure(Errc::corrupt, {"holds no credentials"});
}

TEST_F(SourceProfileTest, an_sts_endpoint_of_ones_own_is_signed_for_with_its_host_and_path) {
  config("[profile p]\nrole_arn = r\nsource_profile = base\n");
  world_.set_profile_keys("base", "base");
  world_.variables["AWS_ENDPOINT_URL_STS"] = "http://127.0.0.1:80/sts";
  world_.http.on("POST", "http://127.0.0.1:80/sts/", 200, assumed("a"));
  EXPECT_EQ(found().access_key_id, "a-id");
  EXPECT_THAT(world_.http.asked().back().header("Authorization"),
              HasSubstr("Signature=69756d2b5130352b6f587886791eab9e4a4466fed1b025a569401a9a40477484"));
}

}  // namespace cairn
