#include "base/ascii.h"

#include <gtest/gtest.h>

namespace cairn {

TEST(Ascii, control_characters_are_shown_and_not_obeyed) {
  EXPECT_EQ(printable("plain, \u00e9 and \u4e2d"), "plain, \u00e9 and \u4e2d");
  EXPECT_EQ(printable("a\nb\tc\x1b[2J\x7f"), "a\\x0ab\\x09c\\x1b[2J\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m")
      << "CSI in one character";
  EXPECT_EQ(printable("\xc2\xa0\xc2"), "\xc2\xa0\xc2");
}

TEST(Ascii, only_a_host_label_becomes_a_part_of_a_host) {
  for (const char* label : {"eu-west-1", "x", "US", "1"}) EXPECT_TRUE(is_host_label(label)) << label;
  for (const char* other : {"", "-a", "a-", "a.b", "evil.example/", "a_b", "a b", "a\r\n"}) {
    EXPECT_FALSE(is_host_label(other)) << other;
  }
  EXPECT_TRUE(is_host_label(std::string(63, 'a')));
  EXPECT_FALSE(is_host_label(std::string(64, 'a')));
}

}  // namespace cairn
