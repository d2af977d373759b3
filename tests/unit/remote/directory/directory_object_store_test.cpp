// What the directory store promises beyond the conformance suite: files, links and folders of a real file system.
#include "remote/directory/directory_object_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/test_environment.h"

namespace cairn {

namespace fs = std::filesystem;

class DirectoryStore : public testing::Test {
 protected:
  static std::unique_ptr<DirectoryObjectStore> open(const fs::path& path, bool read_only = false) {
    auto store = DirectoryObjectStore::open({path.string(), read_only});
    EXPECT_TRUE(store) << (store ? "" : store.error().to_string());
    return store ? std::move(*store) : nullptr;
  }
  static Result<void> put(ObjectStore& store, const std::string& key, std::string_view text = "v") {
    return store.put_if_absent(key, as_bytes(text), test_context());
  }
  static std::string text_of(ObjectStore& store, const std::string& key) {
    const auto bytes = store.get(key, {}, test_context());
    return bytes ? std::string(as_text(bytes->view())) : "<" + std::string(to_string(bytes.error().code())) + ">";
  }
  static std::vector<std::string> keys(ObjectStore& store) {
    std::vector<std::string> found;
    const auto page = store.list("", "", 1000, test_context());
    if (!page) return {"<" + page.error().to_string() + ">"};
    for (const ObjectInfo& object : page->objects) found.push_back(object.key);
    return found;
  }
  static void write_file(const fs::path& path, std::string_view text = "foreign") {
    std::ofstream(path) << text;
    ASSERT_TRUE(fs::exists(path));
  }

  TemporaryDirectory directory_;
  const fs::path root_ = directory_.path();
};

TEST_F(DirectoryStore, an_object_is_a_file_that_nobody_may_write) {
  ASSERT_TRUE(put(*open(root_), "chunks/ab/abcd", "bytes"));
  const fs::path file = root_ / "chunks/ab/abcd";
  ASSERT_TRUE(fs::is_regular_file(file));
  EXPECT_EQ(fs::file_size(file), 5);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read);
}

class SharedDirectoryStore : public DirectoryStore {
 protected:
  // The modes of a store's folder and object, made while the umask was `umask`.
  std::pair<mode_t, mode_t> modes_made(const fs::path& root, std::optional<gid_t> group, mode_t umask) {
    const std::string key = "chunks/ab/" + std::to_string(++made_);
    const mode_t before = ::umask(umask);
    const auto store = DirectoryObjectStore::open({.path = root.string(), .create = true, .group = group});
    const auto done = store ? put(**store, key, "bytes") : Result<void>(fail(store.error()));
    EXPECT_TRUE(done) << done.error().to_string();
    ::umask(before);
    return {mode_of(root / "chunks/ab"), mode_of(root / key)};
  }
  static mode_t mode_of(const fs::path& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  int made_ = 0;
};

TEST_F(SharedDirectoryStore, what_is_stored_is_its_owners_alone_whatever_the_umask) {
  EXPECT_EQ(modes_made(root_ / "s", {}, 0), (std::pair<mode_t, mode_t>{0700, 0400}));
  EXPECT_EQ(mode_of(root_ / "s"), 0700U);
}

TEST_F(SharedDirectoryStore, a_group_that_is_to_share_it_can_whatever_the_umask) {
  EXPECT_EQ(modes_made(root_ / "s", ::getegid(), 0077), (std::pair<mode_t, mode_t>{02770, 0440}));
  EXPECT_EQ(mode_of(root_ / "s"), 02770U);
  EXPECT_EQ(modes_made(root_ / "s", {}, 0), (std::pair<mode_t, mode_t>{02770, 0440})) << "later, and by others";
}

TEST_F(SharedDirectoryStore, one_that_others_can_read_is_told_from_one_that_they_cannot) {
  fs::create_directory(root_ / "s");
  fs::permissions(root_ / "s", fs::perms{0755});
  EXPECT_FALSE(open(root_ / "s")->is_open_to_others());
  ASSERT_TRUE(put(*open(root_ / "s"), "chunks/ab/abcd"));
  EXPECT_FALSE(open(root_ / "s")->is_open_to_others()) << "its folders are closed";
  fs::permissions(root_ / "s/chunks", fs::perms{0755});
  EXPECT_TRUE(open(root_ / "s")->is_open_to_others());
  fs::permissions(root_ / "s", fs::perms{0700});
  EXPECT_FALSE(open(root_ / "s")->is_open_to_others());
}

TEST_F(DirectoryStore, objects_survive_closing_and_opening) {
  ASSERT_TRUE(put(*open(root_), "dirs/1/r", "bytes"));
  EXPECT_EQ(text_of(*open(root_), "dirs/1/r"), "bytes");
}

TEST_F(DirectoryStore, two_hosts_see_each_other_and_one_wins_a_race) {
  const auto one = open(root_);
  const auto two = open(root_);
  for (int i = 0; i < 20; ++i) {
    const std::string key = "dirs/" + std::to_string(i) + "/r";
    bool first_won = false;
    std::jthread racer([&] { first_won = put(*one, key, "one").has_value(); });
    const bool second_won = put(*two, key, "two").has_value();
    racer.join();
    EXPECT_NE(first_won, second_won);
    EXPECT_EQ(text_of(*one, key), first_won ? "one" : "two");
  }
}

TEST_F(DirectoryStore, a_put_leaves_nothing_temporary) {
  const auto store = open(root_);
  ASSERT_TRUE(put(*store, "key"));
  EXPECT_FALSE(put(*store, "key"));
  EXPECT_TRUE(fs::is_empty(root_ / "+tmp"));
  EXPECT_EQ(keys(*store), std::vector<std::string>{"key"});
}

TEST_F(DirectoryStore, opening_writes_nothing) {
  open(root_);
  open(root_, true);
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(DirectoryStore, a_read_only_store_answers_and_refuses_changes) {
  ASSERT_TRUE(put(*open(root_), "key", "bytes"));
  const auto store = open(root_, true);
  EXPECT_EQ(text_of(*store, "key"), "bytes");
  EXPECT_EQ(put(*store, "new").error().code(), Errc::read_only);
  EXPECT_EQ(store->remove({"key"}, test_context()).error().code(), Errc::read_only);
  EXPECT_EQ(keys(*store), std::vector<std::string>{"key"});
}

TEST_F(DirectoryStore, opening_what_is_not_there_says_so) {
  const auto missing = DirectoryObjectStore::open({(root_ / "missing").string()});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Errc::not_found);
  EXPECT_NE(missing.error().message().find((root_ / "missing").string()), std::string::npos);
}

TEST_F(DirectoryStore, opening_a_file_says_that_it_is_no_directory) {
  write_file(root_ / "file");
  const auto store = DirectoryObjectStore::open({(root_ / "file").string()});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code(), Errc::invalid_argument);
}

TEST_F(DirectoryStore, is_made_when_asked_for_and_no_further_up) {
  const auto made = DirectoryObjectStore::open({.path = (root_ / "new").string(), .create = true});
  ASSERT_TRUE(made);
  EXPECT_TRUE(put(**made, "key"));
  EXPECT_TRUE(DirectoryObjectStore::open({.path = (root_ / "new").string(), .create = true}));
  EXPECT_FALSE(DirectoryObjectStore::open({.path = (root_ / "no/such").string(), .create = true}));
}

TEST_F(DirectoryStore, may_be_reached_through_a_symbolic_link) {
  fs::create_directory(root_ / "real");
  fs::create_directory_symlink(root_ / "real", root_ / "link");
  const auto store = open(root_ / "link");
  ASSERT_TRUE(put(*store, "a/b"));
  EXPECT_TRUE(fs::exists(root_ / "real/a/b"));
}

TEST_F(DirectoryStore, symbolic_links_inside_it_are_not_followed) {
  TemporaryDirectory outside;
  write_file(outside.path() / "secret", "secret");
  fs::create_symlink(outside.path() / "secret", root_ / "key");
  fs::create_directory_symlink(outside.path(), root_ / "folder");
  const auto store = open(root_);
  EXPECT_NE(text_of(*store, "key"), "secret");
  EXPECT_NE(text_of(*store, "folder/secret"), "secret");
  EXPECT_FALSE(store->head("folder/secret", test_context()));
  EXPECT_EQ(keys(*store), std::vector<std::string>{});
  EXPECT_EQ(put(*store, "folder/new").error().code(), Errc::invalid_argument);
  EXPECT_TRUE(store->remove({"folder/secret"}, test_context()));
  EXPECT_TRUE(fs::exists(outside.path() / "secret"));
  EXPECT_FALSE(fs::exists(outside.path() / "new"));
}

TEST_F(DirectoryStore, a_link_in_the_way_of_a_put_stays_and_is_never_overwritten) {
  fs::create_symlink("/nowhere/at/all", root_ / "key");
  const auto put_result = put(*open(root_), "key");
  ASSERT_FALSE(put_result);
  EXPECT_EQ(put_result.error().code(), Errc::unavailable);
  EXPECT_TRUE(fs::is_symlink(root_ / "key"));
}

TEST_F(DirectoryStore, what_no_key_can_name_is_not_listed) {
  const auto store = open(root_);
  ASSERT_TRUE(put(*store, "a/b"));
  fs::create_directory(root_ / "lost+found");
  write_file(root_ / "lost+found/x");
  write_file(root_ / "a/notes for me.txt");
  write_file(root_ / "a/.nfs00000000012345670000001");
  write_file(root_ / "+tmp/half");
  EXPECT_EQ(keys(*store), std::vector<std::string>{"a/b"});
}

TEST_F(DirectoryStore, a_fifo_is_no_object_and_holds_nobody_up) {
  ASSERT_EQ(mkfifo((root_ / "key").c_str(), 0600), 0);
  const auto store = open(root_);
  EXPECT_EQ(text_of(*store, "key"), "<not found>");
  EXPECT_EQ(keys(*store), std::vector<std::string>{});
}

TEST_F(DirectoryStore, a_file_too_large_for_an_object_is_corrupt_and_not_loaded) {
  write_file(root_ / "key", "begin");
  fs::resize_file(root_ / "key", kMaxObjectBytes + 1);
  const auto store = open(root_);
  EXPECT_EQ(text_of(*store, "key"), "<corrupt>");
  const auto part = store->get("key", {0, 5}, test_context());
  ASSERT_TRUE(part);
  EXPECT_EQ(as_text(part->view()), "begin");
}

TEST_F(DirectoryStore, a_folder_that_vanished_is_made_again) {
  const auto store = open(root_);
  ASSERT_TRUE(put(*store, "a/b/c"));
  fs::remove_all(root_ / "a");
  EXPECT_TRUE(put(*store, "a/b/c", "again"));
  EXPECT_EQ(text_of(*store, "a/b/c"), "again");
  fs::remove_all(root_ / "+tmp");
  EXPECT_TRUE(put(*store, "a/b/d"));
}

TEST_F(DirectoryStore, a_file_where_a_folder_should_be_makes_the_put_invalid) {
  const auto store = open(root_);
  ASSERT_TRUE(put(*store, "a"));
  const auto below = put(*store, "a/b");
  ASSERT_FALSE(below);
  EXPECT_EQ(below.error().code(), Errc::invalid_argument);
}

}  // namespace cairn
