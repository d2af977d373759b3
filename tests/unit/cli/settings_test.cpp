#include "cli/settings.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "cli/config_file.h"
#include "cli/mount_options.h"
#include "tests/support/test_environment.h"
#include "tests/unit/cli/cli_runner.h"

namespace cairn {
namespace {

std::string error_of(std::string_view key, std::string_view text) {
  Settings settings;
  const Result<void> assigned = assign(settings, *find_setting(key), text);
  return assigned ? "" : assigned.error().message();
}

TEST(Settings, start_with_the_defaults_of_the_table) {
  const Settings settings;
  EXPECT_EQ(settings.memory_bytes, 512ULL << 20);
  EXPECT_EQ(settings.revalidate, std::chrono::seconds(1));
  EXPECT_EQ(settings.cache_size.percent, 10U);
  EXPECT_EQ(settings.verify, "checksum");
  EXPECT_FALSE(settings.read_only);
}

TEST(Settings, are_found_under_their_key_and_their_flags_name) {
  ASSERT_NE(find_setting("cache.size"), nullptr);
  EXPECT_EQ(find_setting("cache.size"), find_setting("cache-size"));
  EXPECT_EQ(find_setting("cache.size")->flag(), "--cache-size");
  EXPECT_EQ(find_setting("read.only"), nullptr);
  EXPECT_EQ(find_setting("cache"), nullptr);
  EXPECT_EQ(find_setting(""), nullptr);
}

TEST(Settings, have_different_keys_and_a_sentence_of_help_each) {
  std::set<std::string_view> keys;
  for (const Setting& setting : settings_table()) {
    EXPECT_TRUE(keys.insert(setting.key).second) << setting.key;
    EXPECT_TRUE(setting.help.ends_with('.')) << setting.key;
  }
}

TEST(Settings, out_of_range_says_what_the_range_is) {
  EXPECT_EQ(error_of("memory", "1MiB"), "memory: '1MiB' is too little: at least 64MiB");
  EXPECT_EQ(error_of("prefetch.chunks", "1025"), "prefetch.chunks: '1025' is too much: at most 1024");
  EXPECT_EQ(error_of("verify", "maybe"), "verify: 'maybe' is none of checksum|digest");
  EXPECT_EQ(error_of("verify", ""), "verify: '' is none of checksum|digest");
  EXPECT_EQ(error_of("verify", "digest"), "");
  EXPECT_EQ(error_of("revalidate", "0"), "");
}

TEST(Settings, the_cache_is_sized_in_bytes_or_as_a_share_of_its_disk) {
  Settings settings;
  ASSERT_TRUE(assign(settings, *find_setting("cache.size"), "25%"));
  EXPECT_EQ(settings.cache_size.of_disk(1000), 250U);
  ASSERT_TRUE(assign(settings, *find_setting("cache.size"), "20GiB"));
  EXPECT_EQ(settings.cache_size.of_disk(1000), 20ULL << 30);
  for (const char* bad : {"0%", "100%", "%", "-5%", "1.5%", "many"}) EXPECT_NE(error_of("cache.size", bad), "") << bad;
}

class ConfigFile : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    const std::string path = home_.path() / "c.toml";
    std::ofstream(path) << text;
    return path;
  }
  std::string error_of(const std::string& text) {
    const Result<void> read = read_config_file(write(text), settings_);
    return read ? "" : read.error().message().substr(home_.path().string().size() + 1);
  }

  TemporaryDirectory home_;
  Settings settings_;
};

TEST_F(ConfigFile, sets_keys_in_tables_and_dotted_ones) {
  ASSERT_TRUE(read_config_file(write("cache.dir = '/c'\nmemory = 134217728\nread-only = true\n"
                                     "[prefetch]\nchunks = 4\n[log]\nlevel = 'debug'\n"),
                               settings_));
  EXPECT_EQ(settings_.cache_dir, "/c");
  EXPECT_EQ(settings_.memory_bytes, 128ULL << 20);
  EXPECT_TRUE(settings_.read_only);
  EXPECT_EQ(settings_.prefetch_chunks, 4U);
  EXPECT_EQ(settings_.log_level, "debug");
}

TEST_F(ConfigFile, unknown_key_is_an_error_with_file_line_and_the_nearest_key) {
  EXPECT_EQ(error_of("memory = '1GiB'\n[cache]\nsizee = '1GiB'\n"),
            "c.toml:3: there is no setting 'cache.sizee'; did you mean 'cache.size'?");
  EXPECT_EQ(error_of("[chache]\nsize = '1GiB'\n"),
            "c.toml:2: there is no setting 'chache.size'; did you mean 'cache.size'?");
  EXPECT_EQ(error_of("cache-size = '1GiB'\n"),
            "c.toml:1: there is no setting 'cache-size'; did you mean 'cache.size'?");
}

TEST_F(ConfigFile, bad_values_name_their_line) {
  EXPECT_EQ(error_of("\nrevalidate = 5\n"),
            "c.toml:2: revalidate: '5' is no duration: write it like 1s, 250ms, 2m or 0");
  EXPECT_EQ(error_of("memory = [1]\n"), "c.toml:1: memory: write a string, a number or a boolean");
  EXPECT_EQ(error_of("memory = 1.5\n"), "c.toml:1: memory: write a string, a number or a boolean");
  EXPECT_EQ(error_of("cache = 5\n"), "c.toml:1: there is no setting 'cache'; `man cairnfs` lists them");
}

TEST_F(ConfigFile, bad_toml_names_its_line) {
  EXPECT_TRUE(error_of("memory = '1GiB'\n???\n").starts_with("c.toml:2: "));
}

TEST_F(ConfigFile, missing_file_is_not_found) {
  const Result<void> read = read_config_file(home_.path() / "none.toml", settings_);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), Errc::not_found);
}

TEST_F(ConfigFile, the_example_in_packaging_holds_every_key_and_nothing_but_values_that_are_allowed) {
  std::ifstream file(CAIRN_SOURCE_DIR "/packaging/cairnfs.toml");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    const bool setting = line.starts_with('#') && line.size() > 1 && line[1] != ' ';
    text += (setting ? line.substr(1) : line) + "\n";
  }
  EXPECT_EQ(error_of(text), "");
  for (const Setting& setting : settings_table()) {
    const std::string name(setting.key.substr(setting.key.find('.') + 1));
    EXPECT_NE(text.find("\n" + name + " = "), std::string::npos) << setting.key;
  }
}

TEST_F(ConfigFile, files_are_read_from_general_to_particular_and_an_explicit_one_alone) {
  std::filesystem::create_directories(home_.path() / "cairnfs");
  const std::string own = home_.path() / "cairnfs/cairnfs.toml";
  std::ofstream{own} << "";
  std::ostringstream sink;
  Streams streams{.out = sink, .err = sink, .environment = {{"XDG_CONFIG_HOME", home_.path()}}};
  EXPECT_EQ(config_files("", streams).back(), own);
  streams.environment["CAIRNFS_CONFIG"] = "/env.toml";
  EXPECT_EQ(config_files("", streams), std::vector<std::string>{"/env.toml"});
  EXPECT_EQ(config_files("/flag.toml", streams), std::vector<std::string>{"/flag.toml"});
}

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
