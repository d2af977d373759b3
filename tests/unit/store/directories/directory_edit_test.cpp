#include "store/directories/directory_edit.h"

#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {
namespace {

using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class DirectoryEditTest : public ::testing::Test {
 protected:
  DirectoryEditTest() {
    add("published", file_entry(10).with_version(version_of("one", 1), 64));
    add("empty", file_entry(11));
    Entry directory;
    directory.id = 12;
    directory.kind = Kind::directory;
    add("sub", directory);
    Entry deleted = file_entry(13).with_version(version_of("gone", 1), 64);
    deleted.deleted = 3;
    add("deleted", deleted);
  }
  void add(const std::string& name, const Entry& entry) { state.entries[name] = std::make_shared<const Entry>(entry); }
  [[nodiscard]] std::vector<std::string> listed(const DirectoryEdit& edit) const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : edit.list()) names.push_back(name);
    return names;
  }

  DirectoryState state;
};

TEST_F(DirectoryEditTest, an_edit_without_alterations_shows_the_state_under_it) {
  const DirectoryEdit edit(state);
  EXPECT_TRUE(edit.empty());
  EXPECT_EQ(edit.find("published"), state.entries["published"]);
  EXPECT_THAT(listed(edit), ::testing::ElementsAre("empty", "published", "sub"));
}

TEST_F(DirectoryEditTest, deleted_entries_are_found_only_by_find_any) {
  const DirectoryEdit edit(state);
  EXPECT_EQ(edit.find("deleted"), nullptr);
  EXPECT_EQ(edit.find_any("deleted")->id, 13U);
}

TEST_F(DirectoryEditTest, listing_merges_alterations_in_order_of_name) {
  DirectoryEdit edit(state);
  edit.put("a-first", file_entry(20));
  edit.put("other", file_entry(21));
  edit.put("z-last", file_entry(22));
  edit.forget("published");
  EXPECT_THAT(listed(edit), ::testing::ElementsAre("a-first", "empty", "other", "sub", "z-last"));
}

TEST_F(DirectoryEditTest, removing_a_published_file_or_a_directory_leaves_a_deleted_entry) {
  DirectoryEdit edit(state);
  edit.remove("published", 7);
  edit.remove("sub", 8);
  EXPECT_EQ(edit.find("published"), nullptr);
  EXPECT_EQ(edit.find_any("published")->deleted, 7);
  EXPECT_EQ(edit.find_any("published")->versions.size(), 1U);
  EXPECT_EQ(edit.find_any("sub")->deleted, 8);
}

TEST_F(DirectoryEditTest, removing_a_symlink_leaves_the_history_that_it_carries) {
  DirectoryEdit edit(state);
  Entry link;
  link.id = 40;
  link.kind = Kind::symlink;
  edit.put("published", link.over(*edit.find("published"), 64));
  edit.put("plain", link);
  edit.remove("published", 7);
  edit.remove("plain", 7);
  EXPECT_EQ(edit.find_any("published")->deleted, 7);
  EXPECT_EQ(edit.find_any("published")->versions.size(), 1U);
  EXPECT_EQ(edit.find_any("plain"), nullptr);
}

TEST_F(DirectoryEditTest, removing_a_file_that_never_had_content_leaves_nothing) {
  DirectoryEdit edit(state);
  edit.remove("empty", 7);
  EXPECT_THAT(edit.changes(), UnorderedElementsAre(Pair("empty", nullptr)));
}

TEST_F(DirectoryEditTest, a_name_that_came_and_went_within_the_edit_is_no_change) {
  DirectoryEdit edit(state);
  edit.put("model.tmp", file_entry(30));
  edit.forget("model.tmp");
  EXPECT_TRUE(edit.empty());
}

TEST_F(DirectoryEditTest, live_entries_are_counted_through_the_alterations) {
  DirectoryEdit edit(state);
  for (const char* name : {"published", "empty"}) edit.remove(name, 7);
  EXPECT_TRUE(edit.has_live_entries());
  edit.remove("sub", 7);
  EXPECT_FALSE(edit.has_live_entries());
  edit.put("new", file_entry(40));
  EXPECT_TRUE(edit.has_live_entries());
}

TEST_F(DirectoryEditTest, touch_changes_times_and_nothing_else) {
  state.attributes.mode = 0750;
  state.attributes.xattrs["user.k"] = "v";
  DirectoryEdit edit(state);
  edit.touch(99);
  EXPECT_EQ(edit.attributes().mtime, 99);
  EXPECT_EQ(edit.attributes().ctime, 99);
  EXPECT_EQ(edit.attributes().mode, 0750U);
  EXPECT_EQ(edit.attributes().xattrs.at("user.k"), "v");
}

TEST_F(DirectoryEditTest, applying_an_edit_makes_the_state_what_the_edit_showed) {
  DirectoryEdit edit(state);
  edit.put("new", file_entry(50));
  edit.forget("published");
  edit.remove("sub", 4);
  edit.touch(5);
  edit.set_removed(true);
  DirectoryState changed = state;
  edit.apply_to(changed);
  EXPECT_EQ(changed.find("new")->id, 50U);
  EXPECT_FALSE(changed.entries.contains("published"));
  EXPECT_EQ(changed.find_any("sub")->deleted, 4);
  EXPECT_EQ(changed.attributes.mtime, 5);
  EXPECT_TRUE(changed.removed);
}

}  // namespace
}  // namespace cairn
