#include <functional>

#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Versions : public OneHost {};

TEST_F(Versions, every_publication_is_a_read_only_file_with_its_own_time_and_size) {
  write("f", "one");
  const Nanos first = stat("f").mtime;
  host.clock().advance(std::chrono::seconds(1));
  write("f", "second");
  EXPECT_THAT(*host.list(".versions/f"), ElementsAre("1", "2"));
  EXPECT_EQ(read(".versions/f/1"), "one");
  EXPECT_EQ(read(".versions/f/2"), "second");
  EXPECT_EQ(stat(".versions/f/1").mtime, first);
  EXPECT_EQ(stat(".versions/f/1").size_bytes, 3U);
  EXPECT_EQ(stat(".versions/f/1").mode, 0444U);
}

TEST_F(Versions, the_directory_is_in_every_directory_and_listed_in_none) {
  ASSERT_TRUE(host.mkdir("d"));
  EXPECT_EQ(stat(".versions").kind, Kind::directory);
  EXPECT_EQ(stat("d/.versions").kind, Kind::directory);
  EXPECT_THAT(*host.list("d"), IsEmpty());
  EXPECT_THAT(*host.list("d/.versions"), IsEmpty());
  EXPECT_NE(stat(".versions").ino, stat("d/.versions").ino);
}

class PrivateVersions : public Versions {
 protected:
  void write_as(const std::string& path, std::string_view content, uint32_t uid, uint32_t mode) {
    write(path, content);
    ASSERT_TRUE(host.set_attributes(path, {.mode = mode, .uid = uid}));
  }
  // The name, below .versions, that the history of `name` went aside to; "" if it did not.
  std::string aside(const std::string& name) {
    const auto names = host.list(".versions");
    for (const std::string& listed : *names) {
      if (listed.starts_with(name + ".~before-")) return listed;
    }
    return "";
  }
};

TEST_F(PrivateVersions, are_not_handed_to_another_owner_who_takes_the_name) {
  write_as("hers", "SECRET", 7, 0600);
  write_as("mine", "x", 8, 0644);
  ASSERT_TRUE(host.rename("mine", "hers"));
  EXPECT_THAT(*host.list(".versions/hers"), ElementsAre("1"));
  EXPECT_EQ(read(".versions/hers/1"), "x");
  ASSERT_NE(aside("hers"), "");
  const std::string old = ".versions/" + aside("hers") + "/1";
  EXPECT_EQ(read(old), "SECRET");
  EXPECT_EQ(stat(old).uid, 7U);
  EXPECT_EQ(stat(old).mode, 0400U);
}

TEST_F(PrivateVersions, are_not_handed_to_another_owner_across_directories_or_after_an_unlink) {
  ASSERT_TRUE(host.mkdir("d"));
  write_as("hers", "SECRET", 7, 0600);
  write_as("d/mine", "x", 8, 0600);
  ASSERT_TRUE(host.rename("d/mine", "hers"));
  EXPECT_EQ(read(".versions/hers/1"), "x");
  EXPECT_NE(aside("hers"), "");
  write_as("gone", "SECRET", 7, 0600);
  ASSERT_TRUE(host.unlink("gone"));
  write("gone", "new");
  EXPECT_THAT(*host.list(".versions/gone"), ElementsAre("1"));
  EXPECT_EQ(read(".versions/gone/1"), "new");
  EXPECT_NE(aside("gone"), "");
}

TEST_F(PrivateVersions, are_not_opened_by_a_save_of_the_same_owner_that_more_may_read) {
  write_as("f", "SECRET", 7, 0600);
  write_as("tmp", "public", 7, 0644);
  ASSERT_TRUE(host.rename("tmp", "f"));
  EXPECT_THAT(*host.list(".versions/f"), ElementsAre("1"));
  EXPECT_NE(aside("f"), "");
  write_as("tmp", "private again", 7, 0600);
  ASSERT_TRUE(host.rename("tmp", "f"));
  EXPECT_THAT(*host.list(".versions/f"), ElementsAre("1", "2")) << "fewer may read it: the history goes on";
}

TEST_F(Versions, deleted_files_keep_theirs) {
  write("f", "gone");
  ASSERT_TRUE(host.unlink("f"));
  EXPECT_THAT(*host.list(".versions"), ElementsAre("f"));
  EXPECT_EQ(read(".versions/f/1"), "gone");
}

TEST_F(Versions, what_replaces_a_file_continues_its_numbers) {
  write("model", "one");
  write("tmp", "two");
  ASSERT_TRUE(host.rename("tmp", "model"));
  EXPECT_THAT(*host.list(".versions/model"), ElementsAre("1", "2"));
  EXPECT_EQ(read(".versions/model/1"), "one");
  EXPECT_EQ(read(".versions/model/2"), "two");
}

// Whatever takes the name of a file: its history stays readable, and goes on when a file comes back.
class TakenName : public Versions {
 protected:
  void expect_history_outlives(const std::function<void()>& take_name) {
    const std::string content = "version " + std::to_string(numbers_.size() + 1);
    write("f", content);
    numbers_.push_back(std::to_string(numbers_.size() + 1));
    take_name();
    EXPECT_NE(stat("f").kind, Kind::file);
    EXPECT_EQ(*host.list(".versions/f"), numbers_);
    EXPECT_EQ(read(".versions/f/" + numbers_.back()), content);
    EXPECT_EQ(stat(".versions/f/" + numbers_.back()).mode, 0400U) << "its mode is not known any more";
    ASSERT_TRUE(stat("f").kind == Kind::directory ? host.rmdir("f") : host.unlink("f"));
    EXPECT_EQ(*host.list(".versions/f"), numbers_);
  }

 private:
  std::vector<std::string> numbers_;
};

TEST_F(TakenName, keeps_the_versions_of_the_file_that_had_it) {
  expect_history_outlives([&] {
    ASSERT_TRUE(host.unlink("f"));
    ASSERT_TRUE(host.symlink("elsewhere", "f"));
    EXPECT_EQ(stat("f").size_bytes, 9U);
    EXPECT_EQ(*host.readlink("f"), "elsewhere");
  });
  expect_history_outlives([&] {
    ASSERT_TRUE(host.symlink("elsewhere", "link"));
    ASSERT_TRUE(host.rename("link", "f"));
  });
  expect_history_outlives([&] {
    ASSERT_TRUE(host.unlink("f"));
    ASSERT_TRUE(host.mkdir("f"));
  });
  expect_history_outlives([&] {
    ASSERT_TRUE(host.unlink("f"));
    ASSERT_TRUE(host.mkdir("d"));
    ASSERT_TRUE(host.mkdir("sub"));
    ASSERT_TRUE(host.rename("d", "sub/d"));
    ASSERT_TRUE(host.rename("sub/d", "f"));
  });
}

TEST_F(TakenName, is_left_with_its_history_when_a_symlink_moves_on) {
  ASSERT_TRUE(host.mkdir("d"));
  write("f", "one");
  ASSERT_TRUE(host.unlink("f"));
  ASSERT_TRUE(host.symlink("elsewhere", "f"));
  ASSERT_TRUE(host.rename("f", "g"));
  ASSERT_TRUE(host.rename("g", "d/h"));
  EXPECT_EQ(read("d/.versions/h/1"), "one");
  EXPECT_EQ(*host.readlink("d/h"), "elsewhere");
  write("d/new", "two");
  ASSERT_TRUE(host.rename("d/new", "d/h"));
  EXPECT_THAT(*host.list("d/.versions/h"), ElementsAre("1", "2"));
  EXPECT_EQ(read("d/h"), "two");
}

TEST_F(TakenName, new_times_of_a_symlink_leave_the_versions_theirs) {
  expect_history_outlives([&] {
    const Nanos published = stat("f").mtime;
    ASSERT_TRUE(host.unlink("f"));
    ASSERT_TRUE(host.symlink("elsewhere", "f"));
    ASSERT_TRUE(host.set_attributes("f", {.mtime = 5}));
    EXPECT_EQ(stat(".versions/f/1").mtime, published);
    EXPECT_EQ(stat("f").mtime, 5);
  });
}

TEST_F(Versions, what_was_never_published_has_none) {
  ASSERT_TRUE(host.close(open("empty", O_WRONLY | O_CREAT)));
  ASSERT_TRUE(host.mkdir("d"));
  EXPECT_THAT(*host.list(".versions"), IsEmpty());
  EXPECT_EQ(errno_of(host.stat(".versions/empty")), ENOENT);
  EXPECT_EQ(errno_of(host.stat(".versions/d")), ENOENT);
  EXPECT_EQ(errno_of(host.stat(".versions/none")), ENOENT);
}

TEST_F(Versions, a_number_has_one_spelling) {
  write("f", "x");
  for (const std::string spelling : {"0", "2", "01", "+1", "1x", "x"}) {
    EXPECT_EQ(errno_of(host.stat(".versions/f/" + spelling)), ENOENT) << spelling;
  }
}

TEST_F(Versions, nothing_there_can_be_changed) {
  write("f", "x");
  EXPECT_EQ(errno_of(host.open(".versions/f/1", O_RDWR)), EROFS);
  EXPECT_EQ(errno_of(host.open(".versions/f/1", O_RDONLY | O_TRUNC)), EROFS);
  EXPECT_EQ(errno_of(host.write(".versions/f/3", "x")), EROFS);
  EXPECT_EQ(errno_of(host.write(".versions/new", "x")), EROFS);
  EXPECT_EQ(errno_of(host.unlink(".versions/f/1")), EROFS);
  EXPECT_EQ(errno_of(host.rmdir(".versions/f")), EROFS);
  EXPECT_EQ(errno_of(host.rename(".versions/f/1", "g")), EROFS);
  EXPECT_EQ(errno_of(host.truncate(".versions/f/1", 0)), EROFS);
  EXPECT_EQ(errno_of(host.set_attributes(".versions/f/1", {.mode = 0777})), EROFS);
  EXPECT_EQ(errno_of(host.set_attributes(".versions", {.mode = 0777})), EROFS);
  EXPECT_EQ(errno_of(host.set_xattr(".versions/f/1", "user.a", "b")), EROFS);
}

TEST_F(Versions, its_name_is_reserved) {
  write("f", "x");
  EXPECT_EQ(errno_of(host.mkdir(".versions")), EPERM);
  EXPECT_EQ(errno_of(host.rmdir(".versions")), EPERM);
  EXPECT_EQ(errno_of(host.rename("f", ".versions")), EPERM);
  EXPECT_EQ(errno_of(host.rename(".versions", "g")), EPERM);
  EXPECT_EQ(errno_of(host.write(".versions", "x")), EPERM);
}

TEST_F(Versions, an_open_old_version_stays_while_new_ones_come) {
  write("f", "one");
  const HandleId old = open(".versions/f/1", O_RDONLY);
  write("f", "two");
  ASSERT_TRUE(host.unlink("f"));
  EXPECT_EQ(content_or_error(host.read(old)), "one");
  host.files().release(old);
}

}  // namespace
}  // namespace cairn
