// Making, finding and removing directories.
#include "tests/unit/store/directories/namespace_fixture.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NamespaceTest : public ::testing::Test {
 protected:
  TestStore store;
  Mount a{store.objects(), "host-a"};
  Mount b{store.objects(), "host-b"};
};

TEST_F(NamespaceTest, a_directory_is_opened_once_and_shared) {
  EXPECT_EQ(a.tree.open(kRootId, test_context()).value(), a.root);
}

TEST_F(NamespaceTest, threads_that_open_a_directory_together_get_the_same_object) {
  const auto made = make(b, *b.root, "d");
  std::vector<std::shared_ptr<Directory>> opened(8);
  {
    std::vector<std::jthread> threads;
    for (auto& slot : opened) {
      threads.emplace_back([&] { slot = *a.tree.open(made->id(), test_context()); });
    }
  }
  for (const auto& directory : opened) EXPECT_EQ(directory, opened.front());
}

TEST_F(NamespaceTest, a_made_directory_is_there_for_every_host) {
  const auto made = make(a, *a.root, "checkpoints");
  EXPECT_OK(made->commit(creates("model"), test_context()));
  EXPECT_OK(b.root->refresh(std::chrono::nanoseconds(0), test_context()));
  const auto seen = b.tree.open_child(*b.root, "checkpoints", test_context());
  ASSERT_TRUE(seen) << seen.error().to_string();
  EXPECT_EQ((*seen)->attributes().mode, 0755U);
  EXPECT_THAT(names(**seen), ElementsAre("model"));
}

TEST_F(NamespaceTest, making_a_directory_changes_its_parents_mtime) {
  make(a, *a.root, "d");
  EXPECT_EQ(a.root->attributes().mtime, a.host.wired.clock().wall_now());
}

TEST_F(NamespaceTest, a_taken_name_takes_no_directory) {
  make(a, *a.root, "d");
  EXPECT_POSIX(a.tree.make_directory(*a.root, "d", plain(), test_context()), EEXIST);
  EXPECT_POSIX(b.tree.make_directory(*b.root, "d", plain(), test_context()), EEXIST);
}

TEST_F(NamespaceTest, impossible_names_are_invalid) {
  for (const std::string name : {"", ".", "..", "a/b"}) {
    EXPECT_POSIX(a.tree.make_directory(*a.root, name, plain(), test_context()), EINVAL);
  }
}

TEST_F(NamespaceTest, an_empty_directory_is_removed_for_every_host) {
  const auto made = make(a, *a.root, "d");
  EXPECT_OK(a.tree.remove_directory(*a.root, "d", test_context()));
  EXPECT_EQ(a.root->find("d"), nullptr);
  EXPECT_TRUE(made->removed());
  EXPECT_POSIX(b.tree.open(made->id(), test_context()), ENOENT);
  EXPECT_THAT(names(*b.host.load()), IsEmpty());
}

TEST_F(NamespaceTest, removing_asks_for_an_empty_directory) {
  const auto made = make(a, *a.root, "d");
  EXPECT_OK(made->commit(creates("inside"), test_context()));
  EXPECT_POSIX(a.tree.remove_directory(*a.root, "d", test_context()), ENOTEMPTY);
  EXPECT_OK(a.root->commit(creates("file"), test_context()));
  EXPECT_POSIX(a.tree.remove_directory(*a.root, "file", test_context()), ENOTDIR);
  EXPECT_POSIX(a.tree.remove_directory(*a.root, "nothing", test_context()), ENOENT);
}

TEST_F(NamespaceTest, removing_sees_what_another_host_put_inside_a_moment_ago) {
  const auto made = make(a, *a.root, "d");
  EXPECT_OK((*b.tree.open(made->id(), test_context()))->commit(creates("theirs"), test_context()));
  EXPECT_POSIX(a.tree.remove_directory(*a.root, "d", test_context()), ENOTEMPTY);
  EXPECT_FALSE(made->removed());
}

TEST_F(NamespaceTest, removing_takes_pending_unlinks_along_in_one_record) {
  const auto made = make(a, *a.root, "d");
  EXPECT_OK(made->commit(creates("x"), test_context()));
  const uint64_t before = a.host.puts();
  EXPECT_OK(made->commit_soon(unlinks("x")));
  EXPECT_OK(a.tree.remove_directory(*a.root, "d", test_context()));
  EXPECT_EQ(a.host.puts() - before, 2U);
}

TEST_F(NamespaceTest, a_directory_sealed_by_a_host_that_died_counts_as_absent_and_its_name_is_freed) {
  const auto made = make(a, *a.root, "d");
  a.host.network.add({.operation = ObjectOperation::put_if_absent, .nth = 2, .effect = FaultEffect::crash_before});
  EXPECT_FALSE(a.tree.remove_directory(*a.root, "d", test_context()));

  EXPECT_OK(b.root->refresh(std::chrono::nanoseconds(0), test_context()));
  EXPECT_NE(b.root->find("d"), nullptr);
  EXPECT_POSIX(b.tree.open_child(*b.root, "d", test_context()), ENOENT);
  EXPECT_EQ(b.root->find("d"), nullptr);
  EXPECT_OK(b.tree.flush(test_context()));
  EXPECT_THAT(names(*Host(store, "host-c").load()), IsEmpty());
  EXPECT_TRUE(b.tree.make_directory(*b.root, "d", plain(), test_context()));
}

TEST_F(NamespaceTest, a_name_with_a_removed_directory_behind_it_can_be_made_anew_or_removed) {
  for (const bool remove : {false, true}) {
    const std::string name = remove ? "r" : "m";
    const auto made = make(a, *a.root, name);
    const auto seals = [](DirectoryEdit& edit) -> Result<void> {
      edit.set_removed(true);
      return {};
    };
    EXPECT_OK(made->commit(seals, test_context()));
    if (remove) {
      EXPECT_OK(a.tree.remove_directory(*a.root, name, test_context()));
      EXPECT_EQ(a.root->find(name), nullptr);
    } else {
      EXPECT_NE(make(a, *a.root, name)->id(), made->id());
    }
  }
}

TEST_F(NamespaceTest, a_rollback_of_a_seal_never_frees_the_name) {
  make(a, *a.root, "d");
  a.host.network.add({.operation = ObjectOperation::put_if_absent});
  EXPECT_FAILS(a.tree.remove_directory(*a.root, "d", test_context()), Errc::unavailable);
  EXPECT_TRUE(a.tree.open_child(*a.root, "d", test_context()));
  EXPECT_NE(a.root->find("d"), nullptr);
}

TEST_F(NamespaceTest, flush_commits_every_directory_with_pending_changes) {
  std::vector<std::shared_ptr<Directory>> made;
  for (int i = 0; i < 20; ++i) made.push_back(make(a, *a.root, "d" + std::to_string(i)));
  for (const auto& directory : made) EXPECT_OK(directory->commit_soon(creates("x")));
  EXPECT_EQ(a.tree.pending_directories(), 20U);
  EXPECT_OK(a.tree.flush(test_context()));
  EXPECT_EQ(a.tree.pending_directories(), 0U);
  for (const auto& directory : made) EXPECT_THAT(names(*b.host.load(directory->id())), ElementsAre("x"));
}

TEST_F(NamespaceTest, pending_changes_keep_their_directory_and_are_committed_in_the_background) {
  a.host.environment().options.commit_delay = std::chrono::nanoseconds(0);
  EXPECT_OK(a.root->commit_soon(creates("soon")));
  while (a.tree.pending_directories() > 0) std::this_thread::yield();
  EXPECT_THAT(names(*b.host.load()), ElementsAre("soon"));
}

TEST_F(NamespaceTest, background_commits_go_on_when_the_store_is_back) {
  a.host.network.add({.operation = ObjectOperation::put_if_absent, .times = kEveryTime});
  EXPECT_OK(a.root->commit_soon(creates("soon")));
  EXPECT_FAILS(a.tree.flush(test_context()), Errc::unavailable);
  EXPECT_EQ(a.tree.pending_directories(), 1U);
  a.host.network.heal();
  EXPECT_OK(a.tree.flush(test_context()));
  EXPECT_THAT(names(*b.host.load()), ElementsAre("soon"));
}

TEST_F(NamespaceTest, stop_commits_what_is_pending) {
  EXPECT_OK(a.root->commit_soon(creates("soon")));
  EXPECT_OK(a.tree.stop(test_context()));
  EXPECT_THAT(names(*b.host.load()), ElementsAre("soon"));
}

TEST_F(NamespaceTest, the_end_of_a_namespace_commits_what_is_pending) {
  {
    Mount c(store.objects(), "host-c");
    EXPECT_OK(c.root->commit_soon(creates("soon")));
  }
  EXPECT_THAT(names(*b.host.load()), ElementsAre("soon"));
}

TEST_F(NamespaceTest, nothing_is_changed_through_a_read_only_mount) {
  const auto made = make(a, *a.root, "d");
  b.host.environment().options.read_only = true;
  EXPECT_OK(b.root->refresh(std::chrono::nanoseconds(0), test_context()));
  EXPECT_FAILS(b.tree.make_directory(*b.root, "e", plain(), test_context()), Errc::read_only);
  EXPECT_FAILS(b.tree.remove_directory(*b.root, "d", test_context()), Errc::read_only);
  EXPECT_FAILS(b.tree.rename({b.root, "d"}, {b.root, "e"}, RenameMode::replace, test_context()), Errc::read_only);
  EXPECT_EQ(b.host.puts(), 0U);
}

}  // namespace
}  // namespace cairn
