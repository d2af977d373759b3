#include "daemon/group_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

// A host whose control groups are files of the test's.
class GroupMemoryTest : public testing::Test {
 protected:
  void mount_v2(const std::string& root = "/") {
    write("mountinfo",
          "41 31 0:37 " + root + " " + (home_.path() / "v2").string() + " rw shared:4 - cgroup2 none rw\n");
  }
  void mount_v1() {
    write("mountinfo", "34 31 0:31 / " + (home_.path() / "cpu").string() + " rw - cgroup cgroup rw,cpu\n35 31 0:32 / " +
                           (home_.path() / "v1").string() + " rw,relatime - cgroup cgroup rw,memory\n");
  }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((home_.path() / name).parent_path());
    std::ofstream(home_.path() / name) << text;
  }
  [[nodiscard]] std::optional<uint64_t> limit() const {
    HostEnvironment host;
    host.mountinfo = home_.path() / "mountinfo";
    host.cgroup = home_.path() / "cgroup";
    return group_memory_limit(host);
  }

  TemporaryDirectory home_;
};

TEST_F(GroupMemoryTest, is_the_groups_own) {
  mount_v2();
  write("cgroup", "0::/system.slice/cairnfs.service\n");
  write("v2/system.slice/cairnfs.service/memory.max", "1073741824\n");
  EXPECT_EQ(limit(), 1ULL << 30);
}

TEST_F(GroupMemoryTest, is_the_least_of_all_above) {
  mount_v2();
  write("cgroup", "0::/a/b/c\n");
  write("v2/memory.max", "9000000000\n");
  write("v2/a/memory.max", "500000000\n");
  write("v2/a/b/memory.max", "max\n");
  write("v2/a/b/c/memory.max", "700000000\n");
  write("v2/other/memory.max", "1\n");
  EXPECT_EQ(limit(), 500'000'000U);
}

TEST_F(GroupMemoryTest, is_none_where_no_group_has_one) {
  mount_v2();
  write("cgroup", "0::/a\n");
  write("v2/a/memory.max", "max\n");
  EXPECT_EQ(limit(), std::nullopt);
}

TEST_F(GroupMemoryTest, is_found_in_the_old_hierarchy) {
  mount_v1();
  write("cgroup", "5:devices:/x\n4:memory:/a/b\n0::/\n");
  write("v1/memory.limit_in_bytes", "9223372036854771712\n");
  write("v1/a/memory.limit_in_bytes", "300000000\n");
  write("v1/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), 300'000'000U);
}

TEST_F(GroupMemoryTest, is_none_in_the_old_hierarchy_without_limits) {
  mount_v1();
  write("cgroup", "4:memory:/a\n");
  write("v1/a/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(limit(), std::nullopt);
}

TEST_F(GroupMemoryTest, of_a_container_is_what_its_mount_shows) {
  mount_v2("/docker/0123");
  write("cgroup", "0::/docker/0123/inner\n");
  write("v2/memory.max", "600000000\n");
  write("v2/inner/memory.max", "400000000\n");
  EXPECT_EQ(limit(), 400'000'000U);
  write("cgroup", "0::/../elsewhere\n");
  EXPECT_EQ(limit(), 600'000'000U);
}

TEST_F(GroupMemoryTest, is_none_where_nothing_is_to_be_seen) { EXPECT_EQ(limit(), std::nullopt); }

}  // namespace
}  // namespace cairn
