#include "remote/credentials/credential_chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <thread>

#include "base/log.h"
#include "base/random.h"
#include "tests/support/gate.h"
#include "tests/unit/remote/credentials/credential_world.h"

namespace cairn {

using testing::HasSubstr;
using testing::Not;

namespace {

class CredentialChainTest : public testing::Test {
 protected:
  static std::string id_of(CredentialChain& chain, const Credentials* stale = nullptr) {
    const auto credentials = chain.credentials(test_context(), stale);
    return credentials ? credentials->access_key_id : credentials.error().to_string();
  }

  // How often the instance's credentials were fetched.
  [[nodiscard]] size_t fetches() const { return world_.http.times_asked("PUT", kImdsToken); }

  // The next requests for a session wait at the returned gate.
  std::shared_ptr<Gate> hold_instance() {
    auto gate = std::make_shared<Gate>();
    world_.http.on("PUT", kImdsToken, [gate](const HttpRequest&, const RequestContext&) -> Result<HttpAnswer> {
      if (auto passed = gate->pass(test_context()); !passed) return fail(passed.error());
      return HttpAnswer{200, {}, Buffer::copy_of(as_bytes("imds-hush"))};
    });
    return gate;
  }

  CredentialWorld world_;
};

size_t warnings_about(const std::string& text) {
  const auto lines = log::recent();
  return static_cast<size_t>(std::ranges::count_if(lines, [&](const log::RecentLine& line) {
    EXPECT_THAT(line.text, Not(HasSubstr(kSecretMark)));
    return line.text.find(text) != std::string::npos;
  }));
}

}  // namespace

TEST_F(CredentialChainTest, the_links_are_asked_in_the_order_of_the_sdks) {
  world_.set_instance("instance");
  EXPECT_EQ(id_of(*world_.chain()), "instance-id");
  world_.set_container("container");
  EXPECT_EQ(id_of(*world_.chain()), "container-id");
  world_.set_profile_keys("default", "profile");
  EXPECT_EQ(id_of(*world_.chain()), "profile-id");
  world_.set_web_identity("web");
  EXPECT_EQ(id_of(*world_.chain()), "web-id");
  world_.set_environment_keys("environment");
  EXPECT_EQ(id_of(*world_.chain()), "environment-id");
}

TEST_F(CredentialChainTest, a_profile_of_the_url_passes_the_environment_over) {
  world_.set_environment_keys("environment");
  world_.set_web_identity("web");
  world_.set_profile_keys("training", "profile");
  EXPECT_EQ(id_of(*world_.chain("training")), "profile-id");
}

TEST_F(CredentialChainTest, aws_profile_does_not_pass_the_environment_over) {
  world_.set_environment_keys("environment");
  world_.set_profile_keys("training", "profile");
  world_.variables["AWS_PROFILE"] = "training";
  EXPECT_EQ(id_of(*world_.chain()), "environment-id");
}

TEST_F(CredentialChainTest, a_link_that_is_set_up_and_fails_ends_the_chain) {
  world_.set_web_identity("web");
  world_.http.on("POST", kSts, 403, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>");
  world_.set_profile_keys("default", "profile");
  EXPECT_EQ(world_.failure().code(), Errc::permission_denied);
}

TEST_F(CredentialChainTest, the_source_is_known_after_the_first_success) {
  world_.set_profile_keys("training", "profile");
  const auto chain = world_.chain("training");
  EXPECT_EQ(chain->source(), "");
  EXPECT_EQ(id_of(*chain), "profile-id");
  EXPECT_EQ(chain->source(), "profile 'training' of " + world_.path(".aws/credentials"));
}

TEST_F(CredentialChainTest, when_nothing_is_found_the_error_says_where_was_looked_and_what_to_do) {
  const Error error = world_.failure();
  EXPECT_EQ(error.code(), Errc::permission_denied);
  const std::vector<std::string> places = {"AWS_ACCESS_KEY_ID",
                                           "AWS_WEB_IDENTITY_TOKEN_FILE",
                                           world_.path(".aws/credentials"),
                                           world_.path(".aws/config"),
                                           "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                           kImds,
                                           "aws configure",
                                           "anonymous=true"};
  for (const std::string& text : places) EXPECT_THAT(error.message(), HasSubstr(text));
}

TEST_F(CredentialChainTest, without_a_home_there_are_no_shared_files) {
  CredentialSettings options = world_.options();
  options.environment.home.clear();
  CredentialChain chain(options, world_.http, world_.clock);
  EXPECT_THAT(id_of(chain), HasSubstr("profile 'default' is neither in no file"));
}

TEST_F(CredentialChainTest, a_source_that_was_there_and_is_gone_may_come_back) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  EXPECT_EQ(id_of(*chain), "one-id");
  world_.http.on("PUT", kImdsToken, Error(Errc::unavailable, "nobody listens"));
  world_.clock.advance(std::chrono::hours(2));
  const auto gone = chain->credentials(test_context(), nullptr);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), Errc::unavailable);
  EXPECT_THAT(gone.error().message(), HasSubstr("instance role my-role"));
}

TEST_F(CredentialChainTest, an_ended_context_gets_its_own_error) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token());
  EXPECT_EQ(chain->credentials(stopped, nullptr).error().code(), Errc::cancelled);
  const auto late = RequestContext::within(std::chrono::seconds(0));
  EXPECT_EQ(chain->credentials(late, nullptr).error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(fetches(), 0);
}

// Keeping and renewing.

TEST_F(CredentialChainTest, credentials_are_kept_until_five_minutes_before_they_expire) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  EXPECT_EQ(id_of(*chain), "one-id");
  world_.clock.advance(std::chrono::minutes(54));
  EXPECT_EQ(id_of(*chain), "one-id");
  EXPECT_EQ(fetches(), 1);
  world_.clock.advance(std::chrono::minutes(1));
  world_.set_instance("two");
  EXPECT_EQ(id_of(*chain), "two-id");
  EXPECT_EQ(fetches(), 2);
}

TEST_F(CredentialChainTest, keys_without_an_end_are_kept_for_ever) {
  world_.set_profile_keys("default", "one");
  const auto chain = world_.chain();
  EXPECT_EQ(id_of(*chain), "one-id");
  world_.set_profile_keys("default", "two");
  world_.clock.advance(std::chrono::hours(10'000));
  EXPECT_EQ(id_of(*chain), "one-id");
}

TEST_F(CredentialChainTest, one_caller_renews_while_the_others_go_on_with_the_old) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  EXPECT_EQ(id_of(*chain), "one-id");
  world_.clock.advance(std::chrono::minutes(56));
  world_.set_instance("two");
  const auto gate = hold_instance();
  auto renewer = std::async(std::launch::async, [&] { return id_of(*chain); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(id_of(*chain), "one-id");
  EXPECT_EQ(chain->source(), "instance role my-role");
  gate->open();
  EXPECT_EQ(renewer.get(), "two-id");
  EXPECT_EQ(id_of(*chain), "two-id");
  EXPECT_EQ(fetches(), 2);
}

TEST_F(CredentialChainTest, many_callers_without_credentials_make_one_fetch) {
  world_.set_instance("one");
  const auto gate = hold_instance();
  const auto chain = world_.chain();
  std::vector<std::future<std::string>> callers;
  for (int i = 0; i < 16; ++i) callers.push_back(std::async(std::launch::async, [&] { return id_of(*chain); }));
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
  for (auto& caller : callers) EXPECT_EQ(caller.get(), "one-id");
  EXPECT_EQ(fetches(), 1);
}

TEST_F(CredentialChainTest, who_waits_for_another_waits_no_longer_than_its_own_context) {
  world_.set_instance("one");
  const auto gate = hold_instance();
  const auto chain = world_.chain();
  auto leader = std::async(std::launch::async, [&] { return id_of(*chain); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  const auto impatient = RequestContext::within(std::chrono::milliseconds(1));
  EXPECT_EQ(chain->credentials(impatient, nullptr).error().code(), Errc::deadline_exceeded);
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token());
  EXPECT_EQ(chain->credentials(stopped, nullptr).error().code(), Errc::cancelled);
  gate->open();
  EXPECT_EQ(leader.get(), "one-id");
}

TEST_F(CredentialChainTest, when_the_fetching_caller_is_cancelled_a_waiting_one_fetches) {
  world_.set_instance("one");
  auto gate = std::make_shared<Gate>();
  world_.http.on("GET", kImdsRoles, [this, gate](const HttpRequest&, const RequestContext& context) {
    const auto passed = gate->pass(context);
    world_.http.on("GET", kImdsRoles, 200, "my-role");
    return Result<HttpAnswer>(fail(passed.error()));
  });
  const auto chain = world_.chain();
  std::stop_source stop;
  auto leader = std::async(std::launch::async, [&] {
    const auto context = RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token());
    return chain->credentials(context, nullptr);
  });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto other = std::async(std::launch::async, [&] { return id_of(*chain); });
  stop.request_stop();
  EXPECT_EQ(leader.get().error().code(), Errc::cancelled);
  EXPECT_EQ(other.get(), "one-id");
}

TEST_F(CredentialChainTest, a_failed_renewal_keeps_the_old_credentials_and_warns_once) {
  const std::string role = fmt::format("unlucky-{:x}", KernelRandom().next_u64());  // the log is the whole process's
  world_.set_instance("one", role);
  const auto chain = world_.chain();
  EXPECT_EQ(id_of(*chain), "one-id");
  world_.http.on("PUT", kImdsToken, 500, "hush");
  world_.clock.advance(std::chrono::minutes(56));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(id_of(*chain), "one-id");
    world_.clock.advance(std::chrono::seconds(31));
  }
  EXPECT_EQ(fetches(), 4);
  EXPECT_EQ(warnings_about(role), 1);
  world_.clock.advance(std::chrono::minutes(5));
  EXPECT_THAT(id_of(*chain), HasSubstr("HTTP 500"));
}

TEST_F(CredentialChainTest, a_failed_renewal_is_tried_again_only_after_half_a_minute) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  EXPECT_EQ(id_of(*chain), "one-id");
  world_.http.on("PUT", kImdsToken, 500, "");
  world_.clock.advance(std::chrono::minutes(56));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(id_of(*chain), "one-id");
  EXPECT_EQ(fetches(), 2);
  world_.clock.advance(std::chrono::seconds(30));
  world_.set_instance("two");
  EXPECT_EQ(id_of(*chain), "two-id");
}

TEST_F(CredentialChainTest, a_source_that_still_hands_out_the_old_is_not_asked_all_the_time) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  world_.clock.advance(std::chrono::minutes(57));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(id_of(*chain), "one-id");
  EXPECT_EQ(fetches(), 1);
}

TEST_F(CredentialChainTest, credentials_that_arrive_expired_point_at_the_clock) {
  world_.set_instance("one");
  world_.clock.advance(std::chrono::hours(2));
  const Error error = world_.failure();
  EXPECT_EQ(error.code(), Errc::unavailable);
  EXPECT_THAT(error.message(), HasSubstr("clock"));
}

// What the endpoint refused as expired.

TEST_F(CredentialChainTest, rotated_keys_of_a_file_are_found_when_the_old_ones_are_stale) {
  world_.set_profile_keys("default", "one");
  const auto chain = world_.chain();
  const auto old = chain->credentials(test_context(), nullptr);
  ASSERT_TRUE(old);
  world_.set_profile_keys("default", "two");
  EXPECT_EQ(id_of(*chain), "one-id");
  EXPECT_EQ(id_of(*chain, &*old), "two-id");
  EXPECT_EQ(id_of(*chain), "two-id");
}

TEST_F(CredentialChainTest, anything_newer_than_the_stale_ones_is_an_answer) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  const auto old = chain->credentials(test_context(), nullptr);
  ASSERT_TRUE(old);
  world_.set_instance("two");
  EXPECT_EQ(id_of(*chain, &*old), "two-id");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(id_of(*chain, &*old), "two-id");
  EXPECT_EQ(fetches(), 2);
}

TEST_F(CredentialChainTest, a_source_that_still_holds_the_stale_ones_is_named) {
  world_.set_environment_keys("one");
  const auto chain = world_.chain();
  const auto old = chain->credentials(test_context(), nullptr);
  ASSERT_TRUE(old);
  const auto again = chain->credentials(test_context(), &*old);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::permission_denied);
  EXPECT_THAT(again.error().message(), HasSubstr("environment (AWS_ACCESS_KEY_ID) were refused as expired"));
  EXPECT_THAT(again.error().message(), Not(HasSubstr(kSecretMark)));
}

TEST_F(CredentialChainTest, many_callers_with_the_same_stale_ones_make_one_fetch) {
  world_.set_instance("one");
  const auto chain = world_.chain();
  const auto old = chain->credentials(test_context(), nullptr);
  ASSERT_TRUE(old);
  world_.set_instance("two");
  const auto gate = hold_instance();
  std::vector<std::future<std::string>> callers;
  for (int i = 0; i < 16; ++i) callers.push_back(std::async(std::launch::async, [&] { return id_of(*chain, &*old); }));
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
  for (auto& caller : callers) EXPECT_EQ(caller.get(), "two-id");
  EXPECT_EQ(fetches(), 2);
}

// The environment of a process.

TEST(CredentialEnvironmentTest, values_lose_the_white_space_around_them) {
  CredentialEnvironment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    return name == "SET" ? std::optional<std::string>(" value \n") : std::nullopt;
  };
  EXPECT_EQ(environment.setting("SET"), "value");
  EXPECT_EQ(environment.setting("OTHER"), "");
}

TEST(CredentialEnvironmentTest, a_tilde_in_a_path_is_the_home_directory) {
  CredentialEnvironment environment;
  environment.home = "/home/a";
  environment.variable = [](const std::string& name) { return std::optional<std::string>(name); };
  EXPECT_EQ(environment.path_setting("~/x"), "/home/a/x");
  EXPECT_EQ(environment.path_setting("/~/x"), "/~/x");
}

TEST(CredentialEnvironmentTest, this_process_has_variables_and_a_home) {
  const auto environment = CredentialEnvironment::of_this_process();
  EXPECT_FALSE(environment.home.empty());
  EXPECT_NE(environment.setting("PATH"), "");
  EXPECT_EQ(environment.variable("NO_SUCH_VARIABLE_HERE"), std::nullopt);
}

}  // namespace cairn
