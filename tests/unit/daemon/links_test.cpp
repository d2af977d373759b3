#include "daemon/links.h"

#include <gtest/gtest.h>

#include <map>

namespace cairn {
namespace {

class FollowLinks : public testing::Test {
 protected:
  void file(const std::string& path) { entries_[path].kind = Kind::file; }
  void directory(const std::string& path) { entries_[path].kind = Kind::directory; }
  void link(const std::string& path, const std::string& target) {
    entries_[path].kind = Kind::symlink;
    entries_[path].target = target;
  }
  std::string follow(const std::string& path, bool keeps_history = false) {
    const EntryAt at = [this](const std::string& wanted) -> Result<Entry> {
      const auto found = entries_.find(wanted);
      if (found == entries_.end()) return fail(Errc::not_found, "no '{}'", wanted);
      return found->second;
    };
    const auto followed = follow_links(at, path, "/mnt/models", keeps_history);
    return followed ? *followed : "<" + followed.error().message() + ">";
  }

  std::map<std::string, Entry> entries_;
};

TEST_F(FollowLinks, a_path_without_links_stays_as_it_is) {
  directory("a");
  file("a/b");
  EXPECT_EQ(follow("a/b"), "a/b");
  EXPECT_EQ(follow(""), "");
  EXPECT_EQ(follow("a/missing/deeper"), "a/missing/deeper");
}

TEST_F(FollowLinks, links_are_followed_wherever_they_are_in_the_path) {
  directory("m");
  directory("m/blobs");
  file("m/blobs/w");
  directory("m/snapshots");
  link("m/snapshots/w", "../blobs/./w");
  link("latest", "m/snapshots");
  link("absolute", "/mnt/models/latest");
  link("root", "/mnt/models");
  EXPECT_EQ(follow("latest/w"), "m/blobs/w");
  EXPECT_EQ(follow("absolute"), "m/snapshots");
  EXPECT_EQ(follow("root/absolute/w"), "m/blobs/w");
}

TEST_F(FollowLinks, a_link_out_of_the_mount_is_named) {
  link("out", "/etc/passwd");
  link("up", "../other");
  link("nearly", "/mnt/models2/f");
  EXPECT_EQ(follow("out"), "</out: leads out of the mount, to /etc/passwd>");
  EXPECT_EQ(follow("up"), "</up: leads out of the mount>");
  EXPECT_EQ(follow("nearly"), "</nearly: leads out of the mount, to /mnt/models2/f>");
}

TEST_F(FollowLinks, a_circle_ends) {
  link("a", "b");
  link("b", "a");
  EXPECT_EQ(follow("a/c"), "</a/c: too many symbolic links>");
}

TEST_F(FollowLinks, a_link_whose_name_was_a_file_has_its_own_history) {
  file("f");
  link("l", "f");
  entries_["l"].versions.push_back(std::make_shared<const Version>());
  EXPECT_EQ(follow("l", true), "l");
  EXPECT_EQ(follow("l", false), "f");
}

}  // namespace
}  // namespace cairn
