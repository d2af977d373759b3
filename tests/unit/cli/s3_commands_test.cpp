// The commands on an endpoint that lets two writers both be first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/hostile_http_server.h"
#include "tests/support/test_environment.h"
#include "tests/unit/cli/cli_runner.h"

namespace cairn {
namespace {

using testing::HasSubstr;

class S3Commands : public testing::Test {
 protected:
  Outcome init() { return run_cairnfs({"init", url_}); }

  HostileHttpServer server_;
  TemporaryDirectory home_;
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

}  // namespace
}  // namespace cairn
