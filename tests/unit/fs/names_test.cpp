#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;

class Names : public OneHost {};

TEST_F(Names, a_new_directory_is_found_with_its_mode_and_owner) {
  const auto made = host.files().make_directory(kRootNode, "d", 01755, {.uid = 7, .gid = 8}, test_context());
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(made->attributes.mode, 01755U);
  const NodeAttributes found = stat("d");
  EXPECT_EQ(found.kind, Kind::directory);
  EXPECT_EQ(found.ino, made->attributes.ino);
  EXPECT_EQ(found.uid, 7U);
  EXPECT_EQ(found.gid, 8U);
  EXPECT_EQ(found.nlink, 2U);
}

TEST_F(Names, making_what_exists_is_eexist) {
  write("f", "x");
  EXPECT_EQ(errno_of(host.mkdir("f")), EEXIST);
  EXPECT_EQ(errno_of(host.symlink("t", "f")), EEXIST);
  EXPECT_EQ(errno_of(host.open("f", O_WRONLY | O_CREAT | O_EXCL)), EEXIST);
}

TEST_F(Names, names_are_checked_before_anything_is_asked) {
  EXPECT_EQ(errno_of(host.stat(std::string(256, 'n'))), ENAMETOOLONG);
  EXPECT_EQ(errno_of(host.stat("\xff\xfe")), EILSEQ);
  EXPECT_EQ(errno_of(host.mkdir(std::string(256, 'n'))), ENAMETOOLONG);
  EXPECT_TRUE(host.mkdir(std::string(255, 'n')));
}

TEST_F(Names, a_file_is_no_directory) {
  write("f", "x");
  EXPECT_EQ(errno_of(host.stat("f/x")), ENOTDIR);
  EXPECT_EQ(errno_of(host.write("f/x", "")), ENOTDIR);
  EXPECT_EQ(errno_of(host.list("f")), ENOTDIR);
}

TEST_F(Names, opening_a_directory_to_write_is_eisdir) {
  ASSERT_TRUE(host.mkdir("d"));
  EXPECT_EQ(errno_of(host.open("d", O_RDWR)), EISDIR);
  EXPECT_EQ(errno_of(host.open("d", O_RDWR | O_CREAT)), EISDIR);
}

TEST_F(Names, a_set_gid_directory_hands_its_group_on) {
  ASSERT_TRUE(host.files().make_directory(kRootNode, "d", 02775, {.uid = 1, .gid = 50}, test_context()));
  ASSERT_TRUE(host.mkdir("d/sub"));
  write("d/f", "x");
  EXPECT_EQ(stat("d/sub").gid, 50U);
  EXPECT_EQ(stat("d/sub").mode, 02755U);
  EXPECT_EQ(stat("d/f").gid, 50U);
}

TEST_F(Names, special_files_keep_their_kind_and_devices_are_refused) {
  ASSERT_TRUE(host.files().make_node(kRootNode, "pipe", Kind::fifo, 0600, {}, test_context()));
  ASSERT_TRUE(host.files().make_node(kRootNode, "sock", Kind::socket, 0600, {}, test_context()));
  host.restart();
  EXPECT_EQ(stat("pipe").kind, Kind::fifo);
  EXPECT_EQ(stat("sock").kind, Kind::socket);
  EXPECT_EQ(errno_of(host.files().make_node(kRootNode, "x", Kind::directory, 0600, {}, test_context())), EPERM);
}

TEST_F(Names, a_symlink_keeps_its_target_and_its_length_is_its_size) {
  ASSERT_TRUE(host.symlink("some/where", "link"));
  EXPECT_EQ(content_or_error(host.readlink("link")), "some/where");
  EXPECT_EQ(stat("link").size_bytes, 10U);
  EXPECT_EQ(stat("link").mode, 0777U);
  EXPECT_EQ(errno_of(host.open("link", O_RDONLY)), ELOOP);
}

TEST_F(Names, a_symlink_needs_a_target_that_fits) {
  EXPECT_EQ(errno_of(host.symlink("", "l")), ENOENT);
  EXPECT_EQ(errno_of(host.symlink(std::string(4096, 't'), "l")), ENAMETOOLONG);
  EXPECT_EQ(errno_of(host.symlink("\xc0\x80", "l")), EILSEQ);
}

TEST_F(Names, removing_follows_posix) {
  ASSERT_TRUE(host.mkdir("d"));
  write("d/f", "x");
  EXPECT_EQ(errno_of(host.rmdir("d")), ENOTEMPTY);
  EXPECT_EQ(errno_of(host.unlink("d")), EISDIR);
  EXPECT_EQ(errno_of(host.rmdir("d/f")), ENOTDIR);
  EXPECT_EQ(errno_of(host.unlink("d/none")), ENOENT);
  EXPECT_EQ(errno_of(host.rmdir("none")), ENOENT);
  EXPECT_TRUE(host.unlink("d/f"));
  EXPECT_TRUE(host.rmdir("d"));
  EXPECT_EQ(errno_of(host.stat("d")), ENOENT);
}

TEST_F(Names, a_removed_directory_that_is_still_open_takes_no_names) {
  ASSERT_TRUE(host.mkdir("d"));
  const auto held = host.hold("d");
  ASSERT_TRUE(held);
  ASSERT_TRUE(host.rmdir("d"));
  const NodeId gone = held->node;
  EXPECT_EQ(errno_of(host.files().lookup(gone, "x", test_context())), ENOENT);
  EXPECT_EQ(errno_of(host.files().make_directory(gone, "x", 0755, {}, test_context())), ENOENT);
  EXPECT_EQ(errno_of(host.files().create(gone, "x", 0644, O_WRONLY, {}, test_context())), ENOENT);
  EXPECT_EQ(errno_of(host.files().make_symlink(gone, "x", "t", {}, test_context())), ENOENT);
  EXPECT_EQ(host.files().get_attributes(gone, std::nullopt, test_context())->attributes.nlink, 0U);
  const auto listing = host.files().open_directory(gone, {}, test_context());
  ASSERT_TRUE(listing);
  host.files().release_directory(*listing);
  host.files().forget(gone, 1);
}

TEST_F(Names, rename_replaces_files_and_empty_directories_only) {
  write("f", "1");
  write("g", "2");
  ASSERT_TRUE(host.mkdir("d"));
  ASSERT_TRUE(host.mkdir("e"));
  ASSERT_TRUE(host.mkdir("full"));
  write("full/x", "x");
  EXPECT_EQ(errno_of(host.rename("f", "d")), EISDIR);
  EXPECT_EQ(errno_of(host.rename("d", "f")), ENOTDIR);
  EXPECT_EQ(errno_of(host.rename("d", "full")), ENOTEMPTY);
  EXPECT_TRUE(host.rename("d", "e"));
  EXPECT_TRUE(host.rename("f", "g"));
  EXPECT_EQ(read("g"), "1");
  EXPECT_THAT(*host.list(""), ElementsAre("e", "full", "g"));
}

TEST_F(Names, rename_flags_do_what_renameat2_says) {
  write("f", "1");
  write("g", "2");
  EXPECT_EQ(errno_of(host.rename("f", "g", RenameMode::no_replace)), EEXIST);
  EXPECT_EQ(errno_of(host.rename("f", "none", RenameMode::exchange)), ENOENT);
  EXPECT_TRUE(host.rename("f", "h", RenameMode::no_replace));
  EXPECT_TRUE(host.rename("h", "g", RenameMode::exchange));
  EXPECT_EQ(read("g"), "1");
  EXPECT_EQ(read("h"), "2");
}

TEST_F(Names, rename_onto_itself_changes_nothing) {
  write("f", "1");
  EXPECT_TRUE(host.rename("f", "f"));
  EXPECT_EQ(errno_of(host.rename("f", "f", RenameMode::no_replace)), EEXIST);
  EXPECT_EQ(read("f"), "1");
}

TEST_F(Names, a_directory_cannot_move_into_itself) {
  ASSERT_TRUE(host.mkdir("a"));
  ASSERT_TRUE(host.mkdir("a/b"));
  ASSERT_TRUE(host.mkdir("a/b/c"));
  EXPECT_EQ(errno_of(host.rename("a", "a/x")), EINVAL);
  EXPECT_EQ(errno_of(host.rename("a", "a/b/c/x")), EINVAL);
  EXPECT_EQ(errno_of(host.rename("a/b/c", "a")), ENOTEMPTY);
  EXPECT_EQ(errno_of(host.rename("a/b/c", "a", RenameMode::exchange)), EINVAL);
}

TEST_F(Names, ancestry_follows_renames) {
  ASSERT_TRUE(host.mkdir("a"));
  ASSERT_TRUE(host.mkdir("b"));
  ASSERT_TRUE(host.mkdir("b/c"));
  const auto held = host.hold("b/c");
  ASSERT_TRUE(host.rename("b", "a/b"));
  EXPECT_EQ(errno_of(host.files().rename(kRootNode, "a", held->node, "x", RenameMode::replace, test_context())),
            EINVAL);
  host.files().forget(held->node, 1);
}

TEST_F(Names, a_directory_keeps_its_inode_and_its_contents_when_it_moves) {
  ASSERT_TRUE(host.mkdir("a"));
  ASSERT_TRUE(host.mkdir("to"));
  write("a/f", "deep");
  const EntryId ino = stat("a").ino;
  ASSERT_TRUE(host.rename("a", "to/b"));
  EXPECT_EQ(stat("to/b").ino, ino);
  EXPECT_EQ(read("to/b/f"), "deep");
  EXPECT_EQ(errno_of(host.stat("a")), ENOENT);
}

TEST_F(Names, a_change_of_names_dates_the_directory) {
  ASSERT_TRUE(host.mkdir("d"));
  const auto changes_date = [&](const std::function<void()>& change) {
    const Nanos before = stat("d").mtime;
    host.clock().advance(std::chrono::seconds(1));
    change();
    return stat("d").mtime > before && stat("d").ctime > before;
  };
  EXPECT_TRUE(changes_date([&] { write("d/f", "x"); }));
  EXPECT_TRUE(changes_date([&] { EXPECT_TRUE(host.rename("d/f", "d/g")); }));
  EXPECT_TRUE(changes_date([&] { EXPECT_TRUE(host.unlink("d/g")); }));
  EXPECT_TRUE(changes_date([&] { EXPECT_TRUE(host.mkdir("d/sub")); }));
  EXPECT_TRUE(changes_date([&] { EXPECT_TRUE(host.rmdir("d/sub")); }));
}

TEST_F(Names, whatever_is_renamed_has_a_new_ctime_and_its_old_mtime) {
  for (const char* directory : {"d", "e", "above", "above/e"}) ASSERT_TRUE(host.mkdir(directory));
  write("f", "x");
  write("above/g", "y");
  const auto dates = [&](const std::string& from, const std::string& to, RenameMode mode = RenameMode::replace) {
    const NodeAttributes before = stat(from);
    host.clock().advance(std::chrono::seconds(1));
    EXPECT_TRUE(host.rename(from, to, mode)) << from << " to " << to;
    const NodeAttributes after = stat(to);
    EXPECT_EQ(after.mtime, before.mtime) << to;
    EXPECT_TRUE(mode != RenameMode::exchange || stat(from).ctime == after.ctime) << from;
    return after.ctime > before.ctime;
  };
  EXPECT_TRUE(dates("d", "d2"));
  EXPECT_TRUE(dates("d2", "above/d3"));
  EXPECT_TRUE(dates("above/d3", "above/e"));
  EXPECT_TRUE(dates("above/e", "e", RenameMode::exchange));
  EXPECT_TRUE(dates("f", "f2"));
  EXPECT_TRUE(dates("f2", "above/f3"));
  EXPECT_TRUE(dates("above/f3", "above/g", RenameMode::exchange));
  write("h", "z");
  EXPECT_TRUE(dates("h", "above/g", RenameMode::exchange));
  EXPECT_TRUE(dates("e", "h", RenameMode::exchange));
}

TEST_F(Names, other_hosts_see_the_ctime_of_a_renamed_directory) {
  ASSERT_TRUE(host.mkdir("d"));
  host.clock().advance(std::chrono::seconds(1));
  ASSERT_TRUE(host.rename("d", "e"));
  const Nanos renamed = stat("e").ctime;
  host.restart();
  EXPECT_EQ(stat("e").ctime, renamed);
  TestHost other{store.objects(), {.host = "host-b"}};
  EXPECT_EQ(other.stat("e")->attributes.ctime, renamed);
}

TEST_F(Names, rewriting_a_file_does_not_date_its_directory) {
  ASSERT_TRUE(host.mkdir("d"));
  write("d/f", "x");
  const Nanos before = stat("d").mtime;
  host.clock().advance(std::chrono::seconds(1));
  write("d/f", "y");
  EXPECT_EQ(stat("d").mtime, before);
}

TEST_F(Names, everything_is_there_after_a_restart) {
  ASSERT_TRUE(host.mkdir("d"));
  write("d/f", "content");
  ASSERT_TRUE(host.symlink("f", "d/l"));
  ASSERT_TRUE(host.open("d/empty", O_WRONLY | O_CREAT));
  host.restart();
  EXPECT_THAT(*host.list("d"), ElementsAre("empty", "f", "l"));
  EXPECT_EQ(read("d/f"), "content");
}

TEST_F(Names, entry_at_walks_a_path_without_nodes) {
  ASSERT_TRUE(host.mkdir("d"));
  write("d/f", "content");
  const auto entry = host.files().entry_at("/d/f", test_context());
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->versions.size(), 1U);
  EXPECT_EQ(host.files().entry_at("", test_context())->id, kRootId);
  EXPECT_EQ(errno_of(host.files().entry_at("d/none", test_context())), ENOENT);
  EXPECT_EQ(errno_of(host.files().entry_at("d/f/x", test_context())), ENOENT);
}

TEST_F(Names, entry_at_knows_of_a_removal_at_once) {
  write("f", "content");
  ASSERT_TRUE(host.unlink("f"));
  const auto entry = host.files().entry_at("f", test_context());
  ASSERT_TRUE(entry);
  EXPECT_TRUE(entry->deleted);
  EXPECT_EQ(entry->versions.size(), 1U);
}

class RewoundListings : public TwoHosts {
 protected:
  // readdir(3) from `offset` on; what it took the kernel one READDIR to tell.
  std::vector<std::string> names(HandleId handle, uint64_t offset = 0) {
    std::vector<std::string> found;
    const auto emit = [&](const DirectoryEntry& entry, const std::optional<NodeReply>&, uint64_t) {
      if (entry.name != "." && entry.name != "..") found.push_back(entry.name);
      return true;
    };
    EXPECT_TRUE(a.files().read_directory(handle, offset, false, emit, test_context()));
    return found;
  }
};

TEST_F(RewoundListings, what_is_made_before_the_first_read_is_listed) {
  const HandleId handle = *a.files().open_directory(kRootNode, {}, test_context());
  ASSERT_TRUE(a.mkdir("d"));
  EXPECT_THAT(names(handle), ElementsAre("d"));
  a.files().release_directory(handle);
}

TEST_F(RewoundListings, reading_from_the_start_again_lists_anew_and_reading_on_does_not) {
  ASSERT_TRUE(a.mkdir("d"));
  const HandleId handle = *a.files().open_directory(kRootNode, {}, test_context());
  EXPECT_THAT(names(handle), ElementsAre("d"));
  ASSERT_TRUE(b.mkdir("e"));
  EXPECT_THAT(names(handle, 3), ElementsAre());
  EXPECT_THAT(names(handle), ElementsAre("d", "e"));
  a.files().release_directory(handle);
}

TEST_F(RewoundListings, a_place_in_an_earlier_stream_can_be_read_from) {
  ASSERT_TRUE(a.mkdir("d"));
  ASSERT_TRUE(a.mkdir("e"));
  const HandleId handle = *a.files().open_directory(kRootNode, {}, test_context());
  EXPECT_THAT(names(handle, 3), ElementsAre("e"));
  a.files().release_directory(handle);
}

}  // namespace
}  // namespace cairn
