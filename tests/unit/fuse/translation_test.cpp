// Each request of the kernel becomes the right call, each result the right reply.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/posix_error.h"
#include "tests/unit/fuse/shell_fixture.h"

namespace cairn {
namespace {

using ::testing::_;
using ::testing::Eq;
using ::testing::Field;
using ::testing::Return;

class FuseTranslationTest : public FuseShellTest {
 protected:
  void SetUp() override {
    FuseShellTest::SetUp();
    start();
  }
};

TEST_F(FuseTranslationTest, the_terms_of_the_mount_are_the_chosen_ones) {
  EXPECT_EQ(terms.max_write, 1U << 20);
  EXPECT_EQ(terms.max_background, 4096U);
  EXPECT_EQ(terms.congestion_threshold, 3072U);
  EXPECT_EQ(terms.time_gran, 1U);
  const uint32_t wanted = FUSE_ASYNC_READ | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC |
                          FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_EXPLICIT_INVAL_DATA;
  EXPECT_EQ(terms.flags & wanted, wanted);
  EXPECT_NE(terms.flags & FUSE_INIT_EXT, 0U);
  EXPECT_EQ(terms.flags2, 1U << 8);  // FUSE_ALLOW_IDMAP
  const uint32_t unwanted = FUSE_WRITEBACK_CACHE | FUSE_AUTO_INVAL_DATA | FUSE_HANDLE_KILLPRIV | FUSE_DONT_MASK |
                            FUSE_POSIX_ACL | FUSE_FLOCK_LOCKS | FUSE_POSIX_LOCKS | FUSE_SPLICE_READ | FUSE_SPLICE_WRITE;
  EXPECT_EQ(terms.flags & unwanted, 0U);
}

TEST_F(FuseTranslationTest, a_lookup_tells_node_attributes_and_how_long_they_hold) {
  EXPECT_CALL(files, lookup(1, Eq("model.pt"), _)).WillOnce(Return(sample_file(7)));
  const auto entry = kernel.call(FUSE_LOOKUP, 1, packed("model.pt")).as<fuse_entry_out>();
  EXPECT_EQ(entry.nodeid, 7U);
  EXPECT_EQ(entry.entry_valid, 0U);
  EXPECT_EQ(entry.entry_valid_nsec, 750'000'000U);
  EXPECT_EQ(entry.attr_valid_nsec, 750'000'000U);
  EXPECT_EQ(entry.attr.ino, 99U);
  EXPECT_EQ(entry.attr.mode, S_IFREG | 0640U);
  EXPECT_EQ(entry.attr.size, 12345U);
  EXPECT_EQ(entry.attr.blocks, 25U);
  EXPECT_EQ(entry.attr.uid, 1000U);
  EXPECT_EQ(entry.attr.mtime, 1'700'000'000U);
  EXPECT_EQ(entry.attr.mtimensec, 123'456'789U);
  EXPECT_EQ(entry.attr.ctimensec, 1U);
}

TEST_F(FuseTranslationTest, a_missing_name_is_a_plain_enoent_that_nobody_caches) {
  EXPECT_CALL(files, lookup).WillOnce(Return(fail(Errc::not_found, "no entry")));
  const auto reply = kernel.call(FUSE_LOOKUP, 1, packed("absent"));
  EXPECT_EQ(reply.error, ENOENT);
  EXPECT_TRUE(reply.body.empty());
}

TEST_F(FuseTranslationTest, a_time_before_1970_counts_its_nanoseconds_upwards) {
  NodeReply reply = sample_file(7);
  reply.attributes.mtime = -1;
  EXPECT_CALL(files, get_attributes(7, Eq(std::nullopt), _)).WillOnce(Return(reply));
  const auto attr = kernel.call(FUSE_GETATTR, 7, packed(fuse_getattr_in{})).as<fuse_attr_out>().attr;
  EXPECT_EQ(static_cast<int64_t>(attr.mtime), -1);
  EXPECT_EQ(attr.mtimensec, 999'999'999U);
}

TEST_F(FuseTranslationTest, the_exact_errno_of_the_file_system_reaches_the_caller) {
  EXPECT_CALL(files, remove_directory(1, Eq("full"), _)).WillOnce(Return(fail_posix(ENOTEMPTY, "has entries")));
  EXPECT_EQ(kernel.call(FUSE_RMDIR, 1, packed("full")).error, ENOTEMPTY);
}

TEST_F(FuseTranslationTest, a_file_is_made_for_the_one_who_asks) {
  const auto is_caller = AllOf(Field(&Caller::uid, 1000U), Field(&Caller::gid, 100U));
  EXPECT_CALL(files, create(1, Eq("new"), 0644U, _, is_caller, _))
      .WillOnce(Return(std::pair(sample_file(8), OpenReply{55, true})));
  fuse_create_in body{};
  body.flags = O_RDWR | O_CREAT | O_EXCL;
  body.mode = S_IFREG | 0644;
  const auto reply = kernel.call(FUSE_CREATE, 1, packed(body, "new"));
  EXPECT_EQ(reply.as<fuse_entry_out>().nodeid, 8U);
  EXPECT_EQ(reply.as<fuse_open_out>(sizeof(fuse_entry_out)).fh, 55U);
}

// As kernels from 6.12 on send it, where ids may be mapped.
TEST_F(FuseTranslationTest, an_open_is_of_the_user_whose_thread_asks_where_the_kernel_does_not_say) {
  if (::geteuid() != 0) GTEST_SKIP() << "the stand-in of /proc is another user's";
  kernel.set_caller(77);
  callers.show(77, {.user = 1001});
  kernel.set_user(~0U);
  EXPECT_CALL(files, open_file(7, _, Field(&Caller::uid, 1001U), _)).WillOnce(Return(OpenReply{56, true}));
  EXPECT_CALL(files, set_attributes(7, Field(&SetAttributes::caller_uid, 1001U), _)).WillOnce(Return(sample_file(7)));
  EXPECT_EQ(kernel.call(FUSE_OPEN, 7, packed(fuse_open_in{})).error, 0);
  fuse_setattr_in cut{};
  cut.valid = FATTR_SIZE;
  EXPECT_EQ(kernel.call(FUSE_SETATTR, 7, packed(cut)).error, 0);
}

TEST_F(FuseTranslationTest, fifos_and_sockets_can_be_made_and_device_nodes_cannot) {
  EXPECT_CALL(files, make_node(1, Eq("pipe"), Kind::fifo, 0600U, _, _)).WillOnce(Return(sample_file(9)));
  EXPECT_CALL(files, make_node(1, Eq("sock"), Kind::socket, 0600U, _, _)).WillOnce(Return(sample_file(10)));
  fuse_mknod_in body{};
  body.mode = S_IFIFO | 0600;
  EXPECT_EQ(kernel.call(FUSE_MKNOD, 1, packed(body, "pipe")).error, 0);
  body.mode = S_IFSOCK | 0600;
  EXPECT_EQ(kernel.call(FUSE_MKNOD, 1, packed(body, "sock")).error, 0);
  body.mode = S_IFBLK | 0600;
  EXPECT_EQ(kernel.call(FUSE_MKNOD, 1, packed(body, "disk")).error, EPERM);
}

TEST_F(FuseTranslationTest, directories_and_links_are_made_and_read) {
  EXPECT_CALL(files, make_directory(1, Eq("runs"), 0755U, _, _)).WillOnce(Return(sample_file(11)));
  EXPECT_CALL(files, make_symlink(1, Eq("latest"), Eq("runs/9"), _, _)).WillOnce(Return(sample_file(12)));
  EXPECT_CALL(files, read_symlink(12, _)).WillOnce(Return(std::string("runs/9")));
  fuse_mkdir_in body{};
  body.mode = S_IFDIR | 0755;
  EXPECT_EQ(kernel.call(FUSE_MKDIR, 1, packed(body, "runs")).error, 0);
  EXPECT_EQ(kernel.call(FUSE_SYMLINK, 1, packed("latest", "runs/9")).error, 0);
  EXPECT_EQ(kernel.call(FUSE_READLINK, 12).body, "runs/9");
}

TEST_F(FuseTranslationTest, hard_links_are_not_permitted) {
  EXPECT_EQ(kernel.call(FUSE_LINK, 1, packed(fuse_link_in{7}, "second")).error, EPERM);
}

TEST_F(FuseTranslationTest, rename_keeps_its_flags) {
  EXPECT_CALL(files, rename(1, Eq("a"), 2, Eq("b"), RenameMode::replace, _)).WillOnce(Return(Result<void>{}));
  EXPECT_CALL(files, rename(1, Eq("a"), 2, Eq("b"), RenameMode::no_replace, _)).WillOnce(Return(Result<void>{}));
  EXPECT_CALL(files, rename(1, Eq("a"), 2, Eq("b"), RenameMode::exchange, _)).WillOnce(Return(Result<void>{}));
  const auto renamed = [this](uint32_t flags) {
    return kernel.call(FUSE_RENAME2, 1, packed(fuse_rename2_in{2, flags, 0}, "a", "b")).error;
  };
  EXPECT_EQ(renamed(0), 0);
  EXPECT_EQ(renamed(RENAME_NOREPLACE), 0);
  EXPECT_EQ(renamed(RENAME_EXCHANGE), 0);
  EXPECT_EQ(renamed(RENAME_WHITEOUT), EINVAL);
}

TEST_F(FuseTranslationTest, chmod_changes_the_mode_and_nothing_else) {
  EXPECT_CALL(files, set_attributes(7, _, _)).WillOnce([](NodeId, const SetAttributes& wanted, const RequestContext&) {
    EXPECT_EQ(wanted.mode, 0600U);
    EXPECT_FALSE(wanted.uid || wanted.gid || wanted.size_bytes || wanted.mtime || wanted.handle);
    return Result<NodeReply>(sample_file(7));
  });
  fuse_setattr_in body{};
  body.valid = FATTR_MODE;
  body.mode = S_IFREG | 0600;
  EXPECT_EQ(kernel.call(FUSE_SETATTR, 7, packed(body)).as<fuse_attr_out>().attr.ino, 99U);
}

TEST_F(FuseTranslationTest, a_truncate_through_a_descriptor_tells_which) {
  EXPECT_CALL(files, set_attributes(7, _, _)).WillOnce([](NodeId, const SetAttributes& wanted, const RequestContext&) {
    EXPECT_EQ(wanted.size_bytes, 4096U);
    EXPECT_EQ(wanted.handle, 55U);
    return Result<NodeReply>(sample_file(7));
  });
  fuse_setattr_in body{};
  body.valid = FATTR_SIZE | FATTR_FH;
  body.size = 4096;
  body.fh = 55;
  EXPECT_EQ(kernel.call(FUSE_SETATTR, 7, packed(body)).error, 0);
}

TEST_F(FuseTranslationTest, utimens_sets_the_given_time_or_now_or_nothing) {
  std::vector<std::optional<Nanos>> seen;
  ON_CALL(files, set_attributes).WillByDefault([&](NodeId, const SetAttributes& wanted, const RequestContext&) {
    seen.push_back(wanted.mtime);
    return Result<NodeReply>(sample_file(7));
  });
  fuse_setattr_in body{};
  body.mtime = 5;
  body.mtimensec = 6;
  for (const uint32_t valid :
       std::initializer_list<uint32_t>{FATTR_MTIME, FATTR_MTIME | FATTR_MTIME_NOW, FATTR_ATIME}) {
    body.valid = valid;
    EXPECT_EQ(kernel.call(FUSE_SETATTR, 7, packed(body)).error, 0);
  }
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0], 5'000'000'006);
  EXPECT_GT(seen[1], 1'700'000'000'000'000'000);
  EXPECT_EQ(seen[2], std::nullopt);
}

TEST_F(FuseTranslationTest, statfs_tells_sizes_and_no_count_of_inodes) {
  EXPECT_CALL(files, statfs).WillOnce(Return(FileSystemStatfs{1ULL << 40, 1ULL << 39}));
  const auto stats = kernel.call(FUSE_STATFS, 1).as<fuse_statfs_out>().st;
  EXPECT_EQ(stats.blocks * stats.frsize, 1ULL << 40);
  EXPECT_EQ(stats.bavail * stats.frsize, 1ULL << 39);
  EXPECT_EQ(stats.files, 0U);
  EXPECT_EQ(stats.namelen, 255U);
}

TEST_F(FuseTranslationTest, forgets_are_counted_and_not_answered) {
  EXPECT_CALL(files, forget(7, 3));
  EXPECT_CALL(files, forget(8, 1));
  EXPECT_CALL(files, forget(9, 2));
  kernel.send(FUSE_FORGET, 7, packed(fuse_forget_in{3}));
  kernel.send(FUSE_BATCH_FORGET, 0, packed(fuse_batch_forget_in{2, 0}, fuse_forget_one{8, 1}, fuse_forget_one{9, 2}));
  EXPECT_EQ(kernel.call(FUSE_STATFS, 1).error, 0);
}

TEST_F(FuseTranslationTest, an_xattr_is_measured_before_it_is_read) {
  ON_CALL(files, get_xattr(7, Eq("user.step"), _)).WillByDefault(Return(std::string("1000")));
  const auto get = [this](uint32_t size) {
    return kernel.call(FUSE_GETXATTR, 7, packed(fuse_getxattr_in{size, 0}, "user.step"));
  };
  EXPECT_EQ(get(0).as<fuse_getxattr_out>().size, 4U);
  EXPECT_EQ(get(3).error, ERANGE);
  EXPECT_EQ(get(4).body, "1000");
}

TEST_F(FuseTranslationTest, xattrs_are_listed_set_and_removed) {
  EXPECT_CALL(files, list_xattrs(7, _)).WillOnce(Return(std::vector<std::string>{"user.a", "user.b"}));
  EXPECT_CALL(files, set_xattr(7, Eq("user.a"), Eq(std::string("x\0y", 3)), 1, _)).WillOnce(Return(Result<void>{}));
  EXPECT_CALL(files, remove_xattr(7, Eq("user.b"), _)).WillOnce(Return(fail_posix(ENODATA, "no such attribute")));
  EXPECT_EQ(kernel.call(FUSE_LISTXATTR, 7, packed(fuse_getxattr_in{100, 0})).body, std::string("user.a\0user.b\0", 14));
  const std::string head(packed(fuse_setxattr_in{3, 1, 0, 0}).substr(0, FUSE_COMPAT_SETXATTR_IN_SIZE));
  EXPECT_EQ(kernel.call(FUSE_SETXATTR, 7, head + packed("user.a") + std::string("x\0y", 3)).error, 0);
  EXPECT_EQ(kernel.call(FUSE_REMOVEXATTR, 7, packed("user.b")).error, ENODATA);
}

TEST_F(FuseTranslationTest, trusted_attributes_are_listed_for_root_with_its_capabilities_alone) {
  ON_CALL(files, list_xattrs(7, _)).WillByDefault(Return(std::vector<std::string>{"trusted.a", "user.b"}));
  const auto list = [this] { return kernel.call(FUSE_LISTXATTR, 7, packed(fuse_getxattr_in{100, 0})).body; };
  EXPECT_EQ(list(), std::string("user.b\0", 7));
  EXPECT_EQ(kernel.call(FUSE_LISTXATTR, 7, packed(fuse_getxattr_in{0, 0})).as<fuse_getxattr_out>().size, 7U);
  kernel.set_user(0);
  EXPECT_EQ(list(), std::string("trusted.a\0user.b\0", 17));
  callers.show(7777, {.capabilities = 1ULL << 21});
  kernel.set_caller(7777);
  EXPECT_EQ(list(), std::string("trusted.a\0user.b\0", 17));
  callers.show(7777, {.capabilities = ~(1ULL << 21)});
  EXPECT_EQ(list(), std::string("user.b\0", 7));
}

}  // namespace
}  // namespace cairn
