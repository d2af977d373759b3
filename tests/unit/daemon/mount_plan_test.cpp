// Plans of mounts whose endpoint is played by a test.
#include "daemon/mount_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "remote/open.h"
#include "tests/support/hostile_http_server.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

using testing::HasSubstr;

class MountPlanTest : public testing::Test {
 protected:
  MountPlanTest() {
    std::filesystem::create_directory(request_.mountpoint);
    request_.settings.cache_dir = home_.path() / "cache";
  }

  void init() {
    auto objects = open_object_store(request_.store, {.create = true}).value();
    ASSERT_TRUE(init_store(*objects, {}, system_clock(), kernel_random(), test_context()));
  }
  Result<MountPlan> plan() {
    return plan_mount(request_, {}, [this](const std::string& text) { notices_.push_back(text); });
  }
  std::string error() {
    const auto planned = plan();
    return planned ? "" : planned.error().message();
  }

  HostileHttpServer server_;
  TemporaryDirectory home_;
  MountRequest request_{.store = "s3://bucket/store?endpoint=" + server_.endpoint() + "&anonymous=true",
                        .mountpoint = home_.path() / "mnt",
                        .settings = {},
                        .kernel_options = {}};
  std::vector<std::string> notices_;
};

TEST_F(MountPlanTest, an_endpoint_that_ignores_conditions_is_refused_unless_the_mount_only_reads) {
  init();
  server_.s3().ignore_conditions();
  EXPECT_THAT(error(), HasSubstr("--read-only"));

  server_.forget_requests();
  request_.settings.read_only = true;
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().message();
  EXPECT_TRUE(planned->session.read_only);
  EXPECT_TRUE(planned->store.settings.read_only);
  EXPECT_EQ(server_.count("PUT"), 0U);
}

TEST_F(MountPlanTest, a_host_looks_once_whether_the_endpoint_honours_conditions) {
  init();
  for (const bool first : {true, false}) {
    server_.forget_requests();
    EXPECT_EQ(error(), "");
    EXPECT_EQ(server_.count("PUT") > 0, first);
  }
}

TEST_F(MountPlanTest, the_store_is_opened_once) {
  init();
  EXPECT_EQ(error(), "");  // proves the endpoint, once for this host
  server_.forget_requests();
  EXPECT_EQ(error(), "");
  EXPECT_EQ(server_.count("GET"), 1U) << "cairn.format";
}

TEST_F(MountPlanTest, a_web_server_is_told_from_an_empty_bucket) {
  request_.settings.mount_timeout = std::chrono::seconds(1);
  server_.add({.times = HttpRule::kAlways, .reply = HttpReply{.status = 404, .body = "<html>Not here</html>"}});
  EXPECT_THAT(error(), HasSubstr("is the endpoint right?"));
  server_.heal();
  EXPECT_THAT(error(), HasSubstr("`cairnfs init"));
}

TEST_F(MountPlanTest, a_log_file_that_cannot_be_made_is_an_error) {
  init();
  request_.settings.log_file = "/nowhere/log";
  EXPECT_THAT(error(), HasSubstr("/nowhere/log"));
}

TEST_F(MountPlanTest, who_may_not_write_reads_and_is_told) {
  init();
  server_.add({.method = "PUT",
               .times = HttpRule::kAlways,
               .reply = HttpReply{.status = 403, .body = "<Error><Code>AccessDenied</Code></Error>"}});
  const auto planned = plan();
  ASSERT_TRUE(planned) << planned.error().message();
  EXPECT_TRUE(planned->session.read_only);
  ASSERT_EQ(notices_.size(), 1U);
  EXPECT_THAT(notices_.front(), HasSubstr("mounting read-only"));
}

// A host whose control group may use so much.
class MountPlanInGroupTest : public MountPlanTest {
 protected:
  uint64_t memory_of(const std::string& limit) {
    init();
    const std::filesystem::path group = home_.path() / "group";
    std::filesystem::create_directories(group);
    HostEnvironment host;
    host.mountinfo = home_.path() / "mountinfo";
    host.cgroup = home_.path() / "cgroup";
    std::ofstream(host.mountinfo) << "41 31 0:37 / " << group.string() << " rw - cgroup2 none rw\n";
    std::ofstream(host.cgroup) << "0::/\n";
    std::ofstream(group / "memory.max") << limit << "\n";
    const auto planned = plan_mount(request_, host, [](const std::string&) {});
    EXPECT_TRUE(planned) << planned.error().to_string();
    if (planned) group_bytes_ = planned->group_memory_bytes;
    return planned ? planned->store.settings.memory_bytes : 0;
  }
  uint64_t group_bytes_ = 0;
};

TEST_F(MountPlanInGroupTest, memory_is_a_quarter_of_the_groups) {
  EXPECT_EQ(memory_of("1073741824"), 256ULL << 20);
  EXPECT_EQ(group_bytes_, 1ULL << 30);
}

TEST_F(MountPlanInGroupTest, memory_is_no_less_than_can_be_set) { EXPECT_EQ(memory_of("100000000"), 64ULL << 20); }

TEST_F(MountPlanInGroupTest, memory_is_the_default_in_a_large_group) {
  EXPECT_EQ(memory_of("8589934592"), 512ULL << 20);
  EXPECT_EQ(group_bytes_, 0U);
}

TEST_F(MountPlanInGroupTest, memory_that_is_given_stays) {
  ASSERT_TRUE(assign(request_.settings, *find_setting("memory"), "512MiB"));
  EXPECT_EQ(memory_of("1073741824"), 512ULL << 20);
}

}  // namespace
}  // namespace cairn
