#include "base/units.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

using std::chrono::nanoseconds;

TEST(Values, binary_units_are_powers_of_1024_and_decimal_ones_of_1000) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("7B"), 7U);
  EXPECT_EQ(parse_size("1K"), 1024U);
  EXPECT_EQ(parse_size("20GiB"), 20ULL << 30);
  EXPECT_EQ(parse_size("20 GiB"), 20ULL << 30);
  EXPECT_EQ(parse_size("1.5G"), 3ULL << 29);
  EXPECT_EQ(parse_size("500MB"), 500'000'000U);
  EXPECT_EQ(parse_size("2kB"), 2000U);
  EXPECT_EQ(parse_size("3T"), 3ULL << 40);
}

TEST(Values, what_is_no_size_is_refused_with_an_example) {
  for (const char* bad : {"", "GiB", "many", "-1", "1e3", "0x10", "1,5G", ".5G", "5.G", "1.2.3", "10 20", "1Gi", "1gib",
                          "10%", " 1", "1 "}) {
    const Result<uint64_t> size = parse_size(bad);
    ASSERT_FALSE(size) << bad << " is taken for " << *size;
    EXPECT_EQ(size.error().code(), Errc::invalid_argument);
    EXPECT_NE(size.error().message().find("20GiB"), std::string::npos);
  }
  EXPECT_FALSE(parse_size("9000000000000T"));
}

TEST(Values, durations_need_a_unit_unless_they_are_nothing) {
  EXPECT_EQ(parse_duration("0"), nanoseconds(0));
  EXPECT_EQ(parse_duration("1s"), std::chrono::seconds(1));
  EXPECT_EQ(parse_duration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(parse_duration("1.5h"), std::chrono::minutes(90));
  EXPECT_EQ(parse_duration("2m"), std::chrono::minutes(2));
  EXPECT_EQ(parse_duration("2min"), std::chrono::minutes(2));
  EXPECT_EQ(parse_duration("30d"), std::chrono::hours(720));
  EXPECT_EQ(parse_duration("7us"), std::chrono::microseconds(7));
  for (const char* bad : {"", "1", "s", "-1s", "1 year", "1S", "infinite", "400000d"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Values, counts_are_digits_only) {
  EXPECT_EQ(parse_count("16"), 16U);
  for (const char* bad : {"", "-1", "+1", "1.0", "4294967296", "16x", " 16"}) EXPECT_FALSE(parse_count(bad)) << bad;
}

TEST(Values, booleans_have_four_spellings_each) {
  for (const char* yes : {"true", "yes", "on", "1"}) EXPECT_EQ(parse_bool(yes), true);
  for (const char* no : {"false", "no", "off", "0"}) EXPECT_EQ(parse_bool(no), false);
  EXPECT_FALSE(parse_bool("TRUE"));
  EXPECT_FALSE(parse_bool(""));
}

TEST(Values, durations_are_told_in_two_units_at_most) {
  EXPECT_EQ(human_duration(std::chrono::milliseconds(1500)), "1.5s");
  EXPECT_EQ(human_duration(std::chrono::seconds(42)), "42s");
  EXPECT_EQ(human_duration(std::chrono::seconds(190)), "3m 10s");
  EXPECT_EQ(human_duration(std::chrono::seconds(7500)), "2h 5m");
  EXPECT_EQ(human_duration(std::chrono::hours(52)), "2d 4h");
}

TEST(Values, counts_are_told_with_thousands_apart) {
  EXPECT_EQ(human_count(0), "0");
  EXPECT_EQ(human_count(999), "999");
  EXPECT_EQ(human_count(1000), "1,000");
  EXPECT_EQ(human_count(12345678), "12,345,678");
}

TEST(Values, counted_nouns_agree_with_their_number) {
  EXPECT_EQ(human_count(1, "file"), "1 file");
  EXPECT_EQ(human_count(0, "file"), "0 files");
  EXPECT_EQ(human_count(1200, "directory"), "1,200 directories");
}

TEST(Values, the_nearest_word_is_the_one_with_the_fewest_edits) {
  const std::vector<std::string> words = {"cache.dir", "cache.size", "memory"};
  EXPECT_EQ(nearest("cache.sise", words), "cache.size");
  EXPECT_EQ(nearest("cachesize", words), "cache.size");
  EXPECT_EQ(nearest("memroy", words), "memory");
  EXPECT_EQ(nearest("xyzzyplugh", words), "");
}

}  // namespace
}  // namespace cairn
