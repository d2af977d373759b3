// Which node a look-up gets, and where the node is taken to be.
#include "fs/node_table.h"

#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

class NodeTableTest : public ::testing::Test {
 protected:
  NodeTableTest() {
    auto root = Directory::load(host.environment(), kRootId, test_context());
    EXPECT_TRUE(root);
    table = std::make_unique<NodeTable>(*root);
    Entry file;
    file.id = 7;
    entry = std::make_shared<const Entry>(file);
  }

  TestStore store;
  TestEnvironment host{store};
  std::unique_ptr<NodeTable> table;
  EntryPtr entry;
};

TEST_F(NodeTableTest, a_look_up_that_a_rename_overtakes_does_not_set_the_old_place) {
  const FileNodePtr node = table->hold_file({table->root(), "old"}, entry);
  const uint64_t seen = table->changes();  // the look-up reads the entry under its old name here
  table->moved(7, {table->root(), "new"});
  EXPECT_EQ(table->hold_file_if(seen, {table->root(), "old"}, entry), nullptr);
  EXPECT_EQ(table->view(*node).place.name, "new");
  EXPECT_EQ(table->hold_file_if(table->changes(), {table->root(), "new"}, entry), node);
}

TEST_F(NodeTableTest, a_look_up_that_an_unlink_overtakes_makes_no_node) {
  const uint64_t seen = table->changes();
  table->unlinked(7);
  EXPECT_EQ(table->hold_file_if(seen, {table->root(), "gone"}, entry), nullptr);
}

TEST_F(NodeTableTest, a_directory_is_not_put_back_below_what_it_was_moved_from) {
  auto made = Directory::create(host.environment(), {}, test_context());
  ASSERT_TRUE(made);
  const DirectoryNodePtr node = table->hold_directory(*made, {table->root(), "old"});
  const uint64_t seen = table->changes();
  table->moved(node->ino, {table->root(), "new"});
  EXPECT_EQ(table->hold_directory_if(seen, *made, {table->root(), "old"}), nullptr);
  EXPECT_EQ(table->place(*node).name, "new");
}

// Their inode numbers are hashes of names, and a name can be looked for whose hash is another's.
TEST_F(NodeTableTest, version_directories_are_told_apart_by_name_and_not_by_number) {
  const VersionsNodePtr one = table->hold_versions(table->root(), 99, "hers");
  const VersionsNodePtr other = table->hold_versions(table->root(), 99, "mine");
  EXPECT_NE(one, other);
  EXPECT_EQ(one->name, "hers");
  EXPECT_EQ(other->name, "mine");
  EXPECT_EQ(table->hold_versions(table->root(), 99, "hers"), one);
}

TEST_F(NodeTableTest, version_directories_are_told_apart_by_what_is_above_them) {
  auto made = Directory::create(host.environment(), {}, test_context());
  ASSERT_TRUE(made);
  const DirectoryNodePtr below = table->hold_directory(*made, {table->root(), "d"});
  EXPECT_NE(table->hold_versions(table->root(), 99, "f"), table->hold_versions(below, 99, "f"));
}

TEST_F(NodeTableTest, old_versions_are_told_apart_by_name_and_not_by_number) {
  Entry old = *entry;
  old.id = 99;
  const auto made_up = std::make_shared<const Entry>(old);
  const FileNodePtr hers = table->hold_old_version({table->root(), "hers/1"}, made_up);
  EXPECT_NE(table->hold_old_version({table->root(), "mine/1"}, made_up), hers);
  EXPECT_EQ(table->hold_old_version({table->root(), "hers/1"}, made_up), hers);
}

TEST_F(NodeTableTest, a_file_with_the_number_of_an_old_version_is_not_it) {
  const FileNodePtr old = table->hold_old_version({table->root(), "f/1"}, entry);
  const FileNodePtr file = table->hold_file({table->root(), "f"}, entry);
  EXPECT_NE(file, old);
  EXPECT_FALSE(file->old_version);
  table->moved(entry->id, {table->root(), "g"});
  EXPECT_EQ(table->view(*old).place.parent, nullptr);
}

}  // namespace
}  // namespace cairn
