#include "daemon/settings.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(settings.verify, "auto");
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
  EXPECT_EQ(error_of("verify", "maybe"), "verify: 'maybe' is none of auto|checksum|digest");
  EXPECT_EQ(error_of("verify", ""), "verify: '' is none of auto|checksum|digest");
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

}  // namespace
}  // namespace cairn
