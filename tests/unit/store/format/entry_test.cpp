#include "store/format/entry.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

VersionPtr version(uint64_t session, Nanos published = 0) {
  Version version;
  version.published = published;
  version.host = "h";
  version.session = session;
  return std::make_shared<const Version>(std::move(version));
}

Entry entry_of(std::vector<VersionPtr> versions, VersionNumber first = 1) {
  Entry entry;
  entry.id = 7;
  entry.first_version = first;
  entry.versions = std::move(versions);
  return entry;
}

TEST(Entry, commits_of_different_sessions_add_versions) {
  const Entry entry = entry_of({version(1)}).with_version(version(2), 64);
  EXPECT_EQ(entry.versions.size(), 2U);
  EXPECT_EQ(entry.current_number(), 2U);
}

TEST(Entry, commit_of_the_same_session_replaces_its_version) {
  const VersionPtr newer = version(2, 5);
  const Entry entry = entry_of({version(1), version(2)}).with_version(newer, 64);
  EXPECT_EQ(entry.versions.size(), 2U);
  EXPECT_EQ(entry.current(), newer);
}

TEST(Entry, versions_without_a_session_never_replace_each_other) {
  EXPECT_EQ(entry_of({version(0)}).with_version(version(0), 64).versions.size(), 2U);
}

TEST(Entry, oldest_versions_go_and_numbers_stay) {
  Entry entry = entry_of({});
  for (uint64_t i = 1; i <= 5; ++i) entry = entry.with_version(version(i), 3);
  EXPECT_EQ(entry.first_version, 3U);
  EXPECT_EQ(entry.current_number(), 5U);
  EXPECT_EQ(entry.version(2), nullptr);
  EXPECT_EQ(entry.version(4)->session, 4U);
  EXPECT_EQ(entry.version(6), nullptr);
}

TEST(Entry, renamed_over_a_file_continues_its_history) {
  const Entry replaced = entry_of({version(1), version(2)}, 4);  // versions 4 and 5
  const Entry entry = entry_of({version(3)}).over(replaced, 64);
  EXPECT_EQ(entry.first_version, 4U);
  EXPECT_EQ(entry.current_number(), 6U);
  EXPECT_EQ(entry.current()->session, 3U);
}

TEST(Entry, renamed_over_a_file_without_versions_keeps_its_numbering) {
  const Entry entry = entry_of({version(3)}).over(entry_of({}, 9), 64);
  EXPECT_EQ(entry.current_number(), 9U);
}

TEST(Entry, what_is_no_file_takes_a_history_over_and_adds_nothing) {
  Entry link;
  link.kind = Kind::symlink;
  const Entry entry = link.over(entry_of({version(1), version(2)}, 4), 64);
  EXPECT_EQ(entry.current_number(), 5U);
  EXPECT_EQ(entry.current(), nullptr) << "the target is its content, not the last version";
  EXPECT_EQ(entry_of({version(3)}).over(entry, 64).current_number(), 6U);
}

TEST(Entry, history_in_front_is_trimmed_like_any_other) {
  const Entry replaced = entry_of({version(1), version(2), version(3)});
  const Entry entry = entry_of({version(4)}).over(replaced, 2);
  EXPECT_EQ(entry.first_version, 3U);
  EXPECT_EQ(entry.versions.size(), 2U);
}

TEST(Name, ordinary_names_are_valid) {
  for (const std::string name : {"a", "model.safetensors", "...", ".hidden", "a b\n", "Grüße", "\xF0\x9F\x98\x80"}) {
    EXPECT_TRUE(is_valid_name(name)) << name;
  }
  EXPECT_TRUE(is_valid_name(std::string(255, 'x')));
}

TEST(Name, what_no_directory_may_hold_is_invalid) {
  for (const std::string name :
       {"", ".", "..", "a/b", "/", "\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "a\xE2\x82"}) {
    EXPECT_FALSE(is_valid_name(name)) << name;
  }
  EXPECT_FALSE(is_valid_name(std::string("a\0b", 3)));
  EXPECT_FALSE(is_valid_name(std::string(256, 'x')));
}

}  // namespace
}  // namespace cairn
