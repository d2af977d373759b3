#include "cli/config_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

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
  HostEnvironment host{.variables = {{"XDG_CONFIG_HOME", home_.path()}}};
  EXPECT_EQ(config_files("", host).back(), own);
  host.variables["CAIRNFS_CONFIG"] = "/env.toml";
  EXPECT_EQ(config_files("", host), std::vector<std::string>{"/env.toml"});
  EXPECT_EQ(config_files("/flag.toml", host), std::vector<std::string>{"/flag.toml"});
}

}  // namespace
}  // namespace cairn
