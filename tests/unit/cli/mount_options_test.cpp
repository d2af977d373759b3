#include "cli/mount_options.h"

#include <gtest/gtest.h>

#include <map>

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

TEST_F(MountOptionsTest, the_last_of_ro_and_rw_counts_but_rw_alone_says_nothing) {
  for (const auto& [text, read_only] : std::map<std::string, bool>{{"ro,rw", false}, {"rw,ro", true}, {"ro", true}}) {
    Settings settings;
    MountOptions options;
    ASSERT_TRUE(apply_mount_options(text, settings, options)) << text;
    EXPECT_EQ(settings.read_only, read_only) << text;
  }
  Settings configured;
  configured.read_only = true;
  MountOptions options;
  ASSERT_TRUE(apply_mount_options("rw,noatime", configured, options));
  EXPECT_TRUE(configured.read_only);
}

TEST_F(MountOptionsTest, an_escaped_comma_belongs_to_the_value) {
  EXPECT_EQ(error_of("cache-dir=/a\\,b,,read-only=no"), "");
  EXPECT_EQ(settings_.cache_dir, "/a,b");
}

TEST_F(MountOptionsTest, commas_between_quotes_belong_to_the_value) {
  EXPECT_EQ(error_of("context=\"system_u:object_r:nfs_t:s0:c1,c2\",cache-dir=/a"), "");
  EXPECT_EQ(settings_.cache_dir, "/a");
}

TEST_F(MountOptionsTest, ownership_is_numbers_and_an_octal_mask) {
  EXPECT_EQ(error_of("uid=1000,gid=0,umask=027"), "");
  EXPECT_EQ(options_.ownership.uid, 1000U);
  EXPECT_EQ(options_.ownership.gid, 0U);
  EXPECT_EQ(options_.ownership.umask, 027U);
  EXPECT_EQ(error_of("uid=bob"), "-o: uid: 'bob' is no number of an owner");
  EXPECT_EQ(error_of("gid="), "-o: gid: '' is no number of an owner");
  EXPECT_EQ(error_of("umask=8"), "-o: umask: '8' is no mask, as 022");
  EXPECT_EQ(error_of("umask=1000"), "-o: umask: '1000' is no mask, as 022");
}

TEST_F(MountOptionsTest, a_mask_leaves_links_and_the_bits_above_the_permissions_alone) {
  const Ownership ownership{.uid = 7, .umask = 022};
  const NodeAttributes file = ownership.shown({.kind = Kind::file, .mode = 04600, .uid = 1, .gid = 2});
  EXPECT_EQ(file.mode, 04755U);
  EXPECT_EQ(file.uid, 7U);
  EXPECT_EQ(file.gid, 2U);
  EXPECT_EQ(ownership.shown({.kind = Kind::symlink, .mode = 0777}).mode, 0777U);
}

TEST_F(MountOptionsTest, a_remount_keeps_the_words_in_order) {
  EXPECT_EQ(error_of("rw,nosuid,remount,ro"), "");
  EXPECT_TRUE(options_.remount);
  EXPECT_EQ(options_.words, (std::vector<std::string>{"rw", "nosuid", "remount", "ro"}));
}

TEST_F(MountOptionsTest, nosymfollow_is_remembered) {
  EXPECT_EQ(error_of("nosymfollow"), "");
  EXPECT_FALSE(options_.follow_symlinks);
}

TEST_F(MountOptionsTest, unknown_and_incomplete_ones_are_refused) {
  EXPECT_EQ(error_of("cache-sizee=1GiB"), "-o: there is no setting 'cache-sizee'; did you mean 'cache.size'?");
  EXPECT_EQ(error_of("cache.size"), "-o: cache.size needs a value: cache.size=SIZE");
  EXPECT_EQ(error_of("memory=1"), "-o: memory: '1' is too little: at least 64MiB");
}

}  // namespace
}  // namespace cairn
