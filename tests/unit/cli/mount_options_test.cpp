#include "cli/mount_options.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

class MountOptionsTest : public testing::Test {
 protected:
  std::string error_of(std::string_view text) {
    const Result<void> applied = apply_mount_options(text, settings_, options_);
    return applied ? "" : applied.error().message();
  }

  Settings settings_;
  MountOptions options_;
};

TEST_F(MountOptionsTest, settings_are_known_under_key_and_flag_name) {
  EXPECT_EQ(error_of("cache.size=1GiB,cache-dir=/c,allow_other,ro"), "");
  EXPECT_EQ(settings_.cache_size.bytes, 1ULL << 30);
  EXPECT_EQ(settings_.cache_dir, "/c");
  EXPECT_TRUE(settings_.allow_other);
  EXPECT_TRUE(settings_.read_only);
}

TEST_F(MountOptionsTest, what_concerns_others_is_passed_over) {
  EXPECT_EQ(error_of("rw,defaults,auto,noauto,user,users,nofail,_netdev,relatime,x-systemd.automount,X-mount.mkdir,"
                     "x-systemd.requires=a.service,comment=hello"),
            "");
  EXPECT_TRUE(options_.kernel.empty());
  EXPECT_FALSE(settings_.read_only);
}

TEST_F(MountOptionsTest, what_the_kernel_acts_on_is_handed_on_in_order) {
  EXPECT_EQ(error_of("nosuid,nodev,noexec,config=/c.toml,nonempty"), "");
  EXPECT_EQ(options_.kernel, (std::vector<std::string>{"nosuid", "nodev", "noexec"}));
  EXPECT_EQ(options_.config_file, "/c.toml");
  EXPECT_TRUE(options_.nonempty);
}

TEST_F(MountOptionsTest, an_escaped_comma_belongs_to_the_value) {
  EXPECT_EQ(error_of("cache-dir=/a\\,b,,read-only=no"), "");
  EXPECT_EQ(settings_.cache_dir, "/a,b");
}

TEST_F(MountOptionsTest, unknown_and_incomplete_ones_are_refused) {
  EXPECT_EQ(error_of("cache-sizee=1GiB"), "-o: there is no setting 'cache-sizee'; did you mean 'cache.size'?");
  EXPECT_EQ(error_of("cache.size"), "-o: cache.size needs a value: cache.size=SIZE");
  EXPECT_EQ(error_of("memory=1"), "-o: memory: '1' is too little: at least 64MiB");
}

}  // namespace
}  // namespace cairn
