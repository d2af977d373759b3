// The commands on an endpoint that lets two writers both be first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/hostile_http_server.h"
#include "tests/support/test_environment.h"
#include "tests/unit/cli/cli_runner.h"

namespace cairn {
namespace {

using testing::HasSubstr;

class S3Commands : public testing::Test {
 protected:
  S3Commands() { std::filesystem::create_directory(mountpoint_); }

  Outcome init() { return run_cairnfs({"init", url_}); }
  // The log's place does not exist, so that a plan with nothing wrong in it ends there, before it starts anything.
  Outcome plan_mount(std::vector<std::string> flags = {}) {
    std::vector<std::string> args = {"mount", url_, mountpoint_, "--cache-dir", cache_, "--log-file", "/nowhere/log"};
    args.insert(args.end(), flags.begin(), flags.end());
    return run_cairnfs(args);
  }

  HostileHttpServer server_;
  TemporaryDirectory home_;
  const std::string mountpoint_ = home_.path() / "mnt";
  const std::string cache_ = home_.path() / "cache";
  const std::string url_ = "s3://bucket/store?endpoint=" + server_.endpoint() + "&anonymous=true";
};

TEST_F(S3Commands, init_makes_a_store_and_leaves_none_of_its_probes) {
  const Outcome outcome = init();
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(server_.s3().get("store/cairn.format"));
  EXPECT_EQ(server_.s3().size(), 2U) << "that and the root directory";
}

TEST_F(S3Commands, init_refuses_an_endpoint_that_ignores_conditions_and_leaves_nothing) {
  server_.s3().ignore_conditions();
  const Outcome outcome = init();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("If-None-Match"));
  EXPECT_THAT(outcome.err, HasSubstr("--read-only"));
  EXPECT_EQ(server_.s3().size(), 0U);
}

TEST_F(S3Commands, mount_refuses_an_endpoint_that_ignores_conditions_unless_it_only_reads) {
  ASSERT_EQ(init().code, 0);
  server_.s3().ignore_conditions();
  const Outcome refused = plan_mount();
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--read-only"));

  server_.forget_requests();
  const Outcome planned = plan_mount({"--read-only"});
  EXPECT_THAT(planned.err, HasSubstr("/nowhere/log")) << "the rest of the plan is good";
  EXPECT_EQ(server_.count("PUT"), 0U);
}

TEST_F(S3Commands, a_host_looks_once_whether_the_endpoint_honours_conditions) {
  ASSERT_EQ(init().code, 0);
  for (const bool first : {true, false}) {
    server_.forget_requests();
    EXPECT_THAT(plan_mount().err, HasSubstr("/nowhere/log"));
    EXPECT_EQ(server_.count("PUT") > 0, first);
  }
}

TEST_F(S3Commands, a_web_server_is_told_from_an_empty_bucket) {
  server_.add({.times = HttpRule::kAlways, .reply = HttpReply{.status = 404, .body = "<html>Not here</html>"}});
  EXPECT_THAT(plan_mount({"--mount-timeout", "1s"}).err, HasSubstr("is the endpoint right?"));
  server_.heal();
  EXPECT_THAT(plan_mount().err, HasSubstr("`cairnfs init"));
}

}  // namespace
}  // namespace cairn
