// rename(2) in all its modes, within one directory and between two.
#include "tests/unit/store/directories/namespace_fixture.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Every test runs twice: with both names in the root, and with the new name in another directory.
class NamespaceRenameTest : public ::testing::TestWithParam<bool> {
 protected:
  NamespaceRenameTest() : there(GetParam() ? make(a, *a.root, "there") : a.root) {}

  [[nodiscard]] bool across() const { return GetParam(); }
  Result<void> rename(const std::string& from, const std::string& to, RenameMode mode = RenameMode::replace) {
    return a.tree.rename({a.root, from}, {there, to}, mode, test_context());
  }
  void write(Directory& directory, const std::string& name, const std::string& content, EntryId id) {
    EXPECT_OK(directory.commit(writes(name, content, id), test_context()));
  }
  // As the store has it: what a host sees that loads everything now.
  EntryPtr stored(const std::shared_ptr<Directory>& directory, const std::string& name) {
    return Host(store, fmt::format("reader-{}", ++readers)).load(directory->id())->find(name);
  }

  TestStore store;
  Mount a{store.objects(), "host-a"};
  std::shared_ptr<Directory> there;
  int readers = 0;
};

INSTANTIATE_TEST_SUITE_P(WithinAndAcross, NamespaceRenameTest, ::testing::Bool(),
                         [](const auto& parameter) { return parameter.param ? "across" : "within"; });

TEST_P(NamespaceRenameTest, a_file_goes_to_a_free_name_with_its_id_and_history) {
  write(*a.root, "model.tmp", "one", 7);
  EXPECT_OK(a.root->commit(publishes("model.tmp", "two", 2), test_context()));
  EXPECT_OK(rename("model.tmp", "model"));
  EXPECT_EQ(stored(a.root, "model.tmp"), nullptr);
  EXPECT_EQ(a.root->find_any("model.tmp"), nullptr);
  const EntryPtr model = stored(there, "model");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->id, 7U);
  EXPECT_EQ(model->versions.size(), 2U);
  EXPECT_EQ(content_of(model), "two");
}

TEST_P(NamespaceRenameTest, a_file_over_a_file_continues_its_history) {
  write(*there, "model", "step 1", 1);
  for (int step = 2; step <= 4; ++step) {
    write(*a.root, "model.tmp", fmt::format("step {}", step), static_cast<EntryId>(step));
    EXPECT_OK(rename("model.tmp", "model"));
  }
  const EntryPtr model = stored(there, "model");
  EXPECT_EQ(model->id, 4U);
  EXPECT_EQ(model->current_number(), 4U);
  EXPECT_EQ(content_of(model), "step 4");
  EXPECT_EQ(as_text(std::get<SharedBuffer>(model->version(1)->content)->view()), "step 1");
  EXPECT_EQ(a.root->find_any("model.tmp"), nullptr);
}

TEST_P(NamespaceRenameTest, a_file_over_a_deleted_name_continues_its_history) {
  write(*there, "model", "old", 1);
  EXPECT_OK(there->commit(unlinks("model"), test_context()));
  write(*a.root, "model.tmp", "new", 2);
  EXPECT_OK(rename("model.tmp", "model"));
  EXPECT_EQ(stored(there, "model")->current_number(), 2U);
}

TEST_P(NamespaceRenameTest, an_empty_file_over_a_file_is_empty) {
  write(*there, "model", "old", 1);
  EXPECT_OK(a.root->commit(creates("empty", 2), test_context()));
  EXPECT_OK(rename("empty", "model"));
  const EntryPtr model = stored(there, "model");
  EXPECT_EQ(model->size_bytes(), 0U);
  EXPECT_EQ(model->current_number(), 2U);
}

TEST_P(NamespaceRenameTest, a_missing_source_is_not_found) {
  EXPECT_POSIX(rename("nothing", "model"), ENOENT);
  EXPECT_POSIX(rename("nothing", "model", RenameMode::exchange), ENOENT);
}

TEST_P(NamespaceRenameTest, no_replace_takes_only_a_free_name) {
  write(*a.root, "from", "x", 1);
  write(*there, "to", "y", 2);
  EXPECT_POSIX(rename("from", "to", RenameMode::no_replace), EEXIST);
  EXPECT_EQ(stored(there, "to")->id, 2U);
  EXPECT_OK(rename("from", "free", RenameMode::no_replace));
  EXPECT_EQ(stored(there, "free")->id, 1U);
}

TEST_P(NamespaceRenameTest, exchange_swaps_two_names) {
  write(*a.root, "from", "x", 1);
  write(*there, "to", "y", 2);
  EXPECT_OK(rename("from", "to", RenameMode::exchange));
  EXPECT_EQ(content_of(stored(a.root, "from")), "y");
  EXPECT_EQ(content_of(stored(there, "to")), "x");
  EXPECT_EQ(stored(there, "to")->versions.size(), 1U);
  EXPECT_POSIX(rename("from", "nothing", RenameMode::exchange), ENOENT);
}

TEST_P(NamespaceRenameTest, exchange_swaps_a_directory_with_a_file) {
  const auto made = make(a, *a.root, "d");
  write(*there, "to", "y", 2);
  EXPECT_OK(rename("d", "to", RenameMode::exchange));
  EXPECT_EQ(stored(there, "to")->id, made->id());
  EXPECT_EQ(content_of(stored(a.root, "d")), "y");
}

TEST_P(NamespaceRenameTest, a_directory_of_any_contents_goes_to_a_free_name) {
  const auto made = make(a, *a.root, "tmp-ckpt");
  write(*made, "rank0", "shard", 1);
  EXPECT_OK(rename("tmp-ckpt", "ckpt"));
  EXPECT_EQ(stored(there, "ckpt")->id, made->id());
  EXPECT_EQ(stored(a.root, "tmp-ckpt"), nullptr);
  EXPECT_THAT(names(*made), ElementsAre("rank0"));
}

TEST_P(NamespaceRenameTest, a_directory_replaces_an_empty_directory_only) {
  const auto source = make(a, *a.root, "source");
  const auto target = make(a, *there, "target");
  EXPECT_OK(target->commit(creates("inside"), test_context()));
  EXPECT_POSIX(rename("source", "target"), ENOTEMPTY);
  EXPECT_EQ(stored(there, "target")->id, target->id());
  EXPECT_OK(target->commit(unlinks("inside"), test_context()));
  EXPECT_OK(rename("source", "target"));
  EXPECT_EQ(stored(there, "target")->id, source->id());
  EXPECT_TRUE(target->removed());
}

TEST_P(NamespaceRenameTest, files_and_directories_do_not_replace_each_other) {
  make(a, *a.root, "directory");
  write(*a.root, "file", "x", 1);
  make(a, *there, "target-directory");
  write(*there, "target-file", "y", 2);
  EXPECT_POSIX(rename("directory", "target-file"), ENOTDIR);
  EXPECT_POSIX(rename("file", "target-directory"), EISDIR);
}

TEST_P(NamespaceRenameTest, pending_changes_of_the_source_go_along) {
  write(*a.root, "from", "x", 1);
  EXPECT_OK(a.root->commit_soon([](DirectoryEdit& edit) -> Result<void> {
    Entry entry = *edit.find("from");
    entry.attributes.mode = 0600;
    edit.put("from", entry);
    return {};
  }));
  EXPECT_OK(rename("from", "to"));
  EXPECT_EQ(stored(there, "to")->attributes.mode, 0600U);
}

TEST_P(NamespaceRenameTest, names_are_checked) {
  write(*a.root, "from", "x", 1);
  EXPECT_POSIX(rename("from", "a/b"), EINVAL);
  EXPECT_POSIX(rename("from", std::string(256, 'x')), EINVAL);
}

TEST_P(NamespaceRenameTest, mtimes_of_the_directories_change) {
  write(*a.root, "from", "x", 1);
  a.host.wired.clock().advance(std::chrono::seconds(3));
  EXPECT_OK(rename("from", "to"));
  EXPECT_EQ(a.root->attributes().mtime, a.host.wired.clock().wall_now());
  EXPECT_EQ(there->attributes().mtime, a.host.wired.clock().wall_now());
}

TEST_P(NamespaceRenameTest, no_mark_stays_behind) {
  write(*a.root, "from", "x", 1);
  EXPECT_OK(rename("from", "to"));
  EXPECT_OK(a.tree.flush(test_context()));
  EXPECT_FALSE(stored(there, "to")->move);
  EXPECT_THAT(there->unfinished_moves(), IsEmpty());
}

class NamespaceRenameWithinTest : public ::testing::Test {
 protected:
  TestStore store;
  Mount a{store.objects(), "host-a"};
};

TEST_F(NamespaceRenameWithinTest, a_rename_is_one_record) {
  EXPECT_OK(a.root->commit(writes("model.tmp", "x", 1), test_context()));
  EXPECT_OK(a.root->commit(writes("model", "y", 2), test_context()));
  const uint64_t before = a.host.puts();
  EXPECT_OK(a.tree.rename({a.root, "model.tmp"}, {a.root, "model"}, RenameMode::replace, test_context()));
  EXPECT_EQ(a.host.puts() - before, 1U);
}

TEST_F(NamespaceRenameWithinTest, a_file_over_itself_is_nothing) {
  EXPECT_OK(a.root->commit(writes("model", "x"), test_context()));
  const uint64_t before = a.host.puts();
  EXPECT_OK(a.tree.rename({a.root, "model"}, {a.root, "model"}, RenameMode::replace, test_context()));
  EXPECT_EQ(a.host.puts(), before);
  EXPECT_EQ(a.root->find("model")->versions.size(), 1U);
  EXPECT_POSIX(a.tree.rename({a.root, "model"}, {a.root, "model"}, RenameMode::no_replace, test_context()), EEXIST);
}

TEST_F(NamespaceRenameWithinTest, a_directory_does_not_move_into_itself) {
  const auto made = make(a, *a.root, "d");
  EXPECT_POSIX(a.tree.rename({a.root, "d"}, {made, "d"}, RenameMode::replace, test_context()), EINVAL);
  EXPECT_OK(made->commit(creates("x"), test_context()));
  EXPECT_POSIX(a.tree.rename({made, "x"}, {a.root, "d"}, RenameMode::exchange, test_context()), EINVAL);
  EXPECT_POSIX(a.tree.rename({made, "x"}, {a.root, "d"}, RenameMode::replace, test_context()), EISDIR);
}

}  // namespace
}  // namespace cairn
