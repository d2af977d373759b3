#include "base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "base/result.h"

namespace cairn {

TEST(Error, context_is_put_in_front_and_the_code_stays) {
  const Error inner(Errc::corrupt, "checksum differs", ENOTEMPTY);
  const Error outer = inner.in("chunk 3f2a…").in("read 'w.bin' at 4096");
  EXPECT_EQ(outer.message(), "read 'w.bin' at 4096: chunk 3f2a…: checksum differs");
  EXPECT_EQ(outer.code(), Errc::corrupt);
  EXPECT_EQ(outer.posix(), ENOTEMPTY);
}

TEST(Error, its_text_begins_with_the_name_of_its_code) {
  EXPECT_EQ(Error(Errc::no_space, "disk full").to_string(), "no space: disk full");
}

TEST(Error, every_code_has_a_name_of_its_own) {
  std::vector<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::io); ++code) names.push_back(to_string(static_cast<Errc>(code)));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(Error, an_errno_becomes_what_the_caller_should_do) {
  const auto code = [](int errno_value) { return error_from_errno(errno_value, "open x").code(); };
  EXPECT_EQ(code(ENOENT), Errc::not_found);
  EXPECT_EQ(code(EEXIST), Errc::already_exists);
  EXPECT_EQ(code(ENOSPC), Errc::no_space);
  EXPECT_EQ(code(EDQUOT), Errc::no_space);
  EXPECT_EQ(code(EROFS), Errc::read_only);
  EXPECT_EQ(code(EACCES), Errc::permission_denied);
  EXPECT_EQ(code(ESTALE), Errc::unavailable);
  EXPECT_EQ(code(EIO), Errc::io);
  EXPECT_EQ(code(ENAMETOOLONG), Errc::invalid_argument);
}

TEST(Error, an_errno_keeps_the_words_of_the_system) {
  EXPECT_EQ(error_from_errno(ENOENT, "open x").message(), "open x: No such file or directory");
}

TEST(ResultOfFail, holds_the_formatted_message) {
  const Result<int> result = fail(Errc::not_found, "no entry '{}'", "w.bin");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message(), "no entry 'w.bin'");
  EXPECT_EQ(result.error().code(), Errc::not_found);
}

}  // namespace cairn
