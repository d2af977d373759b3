#include "cli/mounts.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>

#include "base/paths.h"
#include "base/unique_fd.h"
#include "cli/occupants.h"
#include "daemon/local_paths.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr const char* kTable =
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "40 22 0:52 / /mnt/my\\040models rw,nosuid,nodev - fuse.cairnfs dir:/srv/a\\040b rw,user_id=0\n"
    "41 22 0:53 / /mnt/b rw shared:7 master:1 - fuse.cairnfs dir:/srv/b rw\n"
    "42 22 0:54 / /mnt/b rw - tmpfs tmpfs rw\n"
    "garbage\n";

TEST(Mounts, the_kernels_table_is_read_with_its_escapes) {
  const std::vector<MountPoint> mounts = parse_mountinfo(kTable);
  ASSERT_EQ(mounts.size(), 4U);
  EXPECT_EQ(mounts[1].path, "/mnt/my models");
  EXPECT_EQ(mounts[1].type, "fuse.cairnfs");
  EXPECT_EQ(mounts[1].source, "dir:/srv/a b");
  EXPECT_EQ(mounts[1].device, "0:52");
  EXPECT_EQ(mount_at(mounts, "/mnt/b")->type, "tmpfs") << "the later of two mounts on one path is visible";
  EXPECT_FALSE(mount_at(mounts, "/mnt"));
}

TEST(Mounts, paths_are_made_absolute_by_their_text) {
  EXPECT_EQ(absolute_path("a/./b//c/../d", "/x"), "/x/a/b/d");
  EXPECT_EQ(absolute_path("/a/../../b/", "/x"), "/b");
  EXPECT_EQ(absolute_path("..", "/x"), "/");
  EXPECT_EQ(absolute_path("", "/x"), "/x");
}

class Locate : public testing::Test {
 protected:
  Locate() {
    std::filesystem::create_directories(home_ / "real/mnt");
    std::filesystem::create_directory_symlink(home_ / "real", home_ / "link");
    std::filesystem::create_directory_symlink("real/mnt", home_ / "direct");
    std::filesystem::create_directory_symlink("loop", home_ / "loop");
    mounts_ = {{home_ / "real/mnt", "fuse.cairnfs", "dir:/s", "0:1"}};
  }
  std::string inside(const std::string& path) {
    const Result<Location> location = locate(path, home_, mounts_);
    return location ? location->inside : location.error().message();
  }

  TemporaryDirectory directory_;
  const std::filesystem::path home_ = std::filesystem::canonical(directory_.path());
  std::vector<MountPoint> mounts_;
};

TEST_F(Locate, a_path_is_split_at_its_mountpoint) {
  EXPECT_EQ(inside("real/mnt"), "");
  EXPECT_EQ(inside("real/mnt/a/b"), "a/b");
  EXPECT_EQ(inside(home_ / "real/mnt/a/../b/"), "b");
}

TEST_F(Locate, symbolic_links_on_the_way_to_the_mount_are_followed) {
  EXPECT_EQ(inside("link/mnt/a"), "a");
  EXPECT_EQ(inside("direct/a"), "a");
  EXPECT_EQ(inside("link/mnt/../mnt/a"), inside("real/mnt/../mnt/a"));
}

TEST_F(Locate, other_paths_are_in_no_mount) {
  EXPECT_NE(inside("real").find("is in no CairnFS mount"), std::string::npos);
  EXPECT_NE(inside("real/mnt2/x").find("is in no CairnFS mount"), std::string::npos);
  EXPECT_NE(inside("loop/x").find("too many symbolic links"), std::string::npos);
}

TEST(Mounts, different_mountpoints_have_different_sockets_of_a_length_that_a_socket_can_have) {
  EXPECT_EQ(escaped_mountpoint("/srv/models"), "srv-models");
  EXPECT_NE(escaped_mountpoint("/srv-models"), escaped_mountpoint("/srv/models"));
  EXPECT_EQ(escaped_mountpoint("/"), "-");
  const std::string long_path = "/srv" + std::string(300, 'x');
  EXPECT_LE(escaped_mountpoint(long_path).size(), 60U);
  EXPECT_NE(escaped_mountpoint(long_path + "a"), escaped_mountpoint(long_path + "b"));
}

TEST(Mounts, sockets_and_caches_are_where_their_user_may_write) {
  HostEnvironment host{.variables = {{"HOME", "/home/u"}}};
  EXPECT_EQ(runtime_directory(host), "/home/u/.cache/cairnfs/run");
  EXPECT_EQ(default_cache_directory(host, "0123456789abcdef", "/mnt"), "/home/u/.cache/cairnfs/01234567-mnt");
  host.variables["XDG_RUNTIME_DIR"] = "/run/user/1";
  host.variables["XDG_CACHE_HOME"] = "/c";
  EXPECT_EQ(runtime_directory(host), "/run/user/1/cairnfs");
  EXPECT_EQ(default_cache_directory(host, "0123456789abcdef", "/mnt"), "/c/cairnfs/01234567-mnt");
  host.superuser = true;
  EXPECT_EQ(runtime_directory(host), "/run/cairnfs");
  EXPECT_EQ(default_cache_directory(host, "0123456789abcdef", "/mnt"), "/var/cache/cairnfs/01234567-mnt");
  host.variables["CAIRNFS_RUNTIME_DIR"] = "/r";
  EXPECT_EQ(control_socket_path(host, "/mnt/a"), "/r/mnt-a.sock");
}

TEST(Mounts, the_socket_of_another_users_daemon_is_found_beside) {
  const TemporaryDirectory directory;
  const HostEnvironment host{.variables = {{"CAIRNFS_RUNTIME_DIR", directory.path().string()}}};
  const auto make_socket = [](const std::string& path) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
  };
  const std::string usual = control_socket_path(host, "/mnt/a");
  EXPECT_EQ(find_control_socket(host, "/mnt/a"), usual);
  const std::string beside = directory.path() / "mnt-a" / "mnt-a.sock";
  make_socket(beside);
  EXPECT_EQ(find_control_socket(host, "/mnt/a"), beside);
  EXPECT_EQ(find_control_socket(host, "/mnt/b"), control_socket_path(host, "/mnt/b"));
  make_socket(usual);
  EXPECT_EQ(find_control_socket(host, "/mnt/a"), usual);
}

TEST(Mounts, the_process_that_holds_a_file_is_found) {
  const TemporaryDirectory directory;
  const std::string home = std::filesystem::canonical(directory.path());
  EXPECT_TRUE(find_occupants(home).empty());
  const UniqueFd file(::open((home + "/f").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  const std::vector<Occupant> found = find_occupants(home);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].pid, ::getpid());
  EXPECT_EQ(found[0].path, home + "/f");
  EXPECT_NE(describe(found).find(fmt::format("(pid {}, {}/f)", ::getpid(), home)), std::string::npos);
}

}  // namespace
}  // namespace cairn
