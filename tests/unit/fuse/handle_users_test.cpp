// Whose close of a descriptor publishes what is in the file.
#include <fcntl.h>

#include "tests/unit/fuse/shell_fixture.h"

namespace cairn {
namespace {

using ::testing::_;
using ::testing::Return;

constexpr uint64_t kNode = 7;
constexpr uint64_t kHandle = 55;
constexpr uint32_t kOpener = 100;
constexpr uint32_t kOpenersThread = 101;
constexpr uint32_t kFork = 200;
constexpr uint32_t kForksThread = 201;

class HandleUsersTest : public FuseShellTest {
 protected:
  void SetUp() override {
    FuseShellTest::SetUp();
    for (const uint32_t process : {kOpener, kFork}) callers.show(process, {});
    callers.show(kOpenersThread, {.process = kOpener});
    callers.show(kForksThread, {.process = kFork});
    ON_CALL(files, open_file).WillByDefault(Return(OpenReply{kHandle, true}));
    ON_CALL(files, write).WillByDefault(Return(size_t{5}));
    ON_CALL(files, write_back).WillByDefault(Return(size_t{5}));
    ON_CALL(files, flush).WillByDefault([this](HandleId, const RequestContext&) {
      ++publications;
      return Result<void>();
    });
    start();
    kernel.set_caller(kOpener);
    ASSERT_EQ(kernel.call(FUSE_OPEN, kNode, packed(fuse_open_in{O_WRONLY, 0})).error, 0);
  }

  void write_as(uint32_t thread, uint32_t flags = 0) {
    kernel.set_caller(thread);
    fuse_write_in body{};
    body.fh = kHandle;
    body.size = 5;
    body.write_flags = flags;
    EXPECT_EQ(kernel.call(FUSE_WRITE, kNode, packed(body) + "bytes").error, 0);
  }
  // Whether it publishes; it succeeds in any case.
  bool close_as(uint32_t thread) {
    const int before = publications;
    kernel.set_caller(thread);
    EXPECT_EQ(kernel.call(FUSE_FLUSH, kNode, packed(fuse_flush_in{kHandle, 0, 0, 0})).error, 0);
    return publications > before;
  }

  int publications = 0;
};

TEST_F(HandleUsersTest, the_end_of_a_process_that_inherited_a_descriptor_publishes_nothing) {
  write_as(kOpener);
  EXPECT_FALSE(close_as(kFork));
  EXPECT_FALSE(close_as(kForksThread));
  EXPECT_TRUE(close_as(kOpener));
}

TEST_F(HandleUsersTest, any_thread_of_who_opened_the_file_publishes) { EXPECT_TRUE(close_as(kOpenersThread)); }

TEST_F(HandleUsersTest, who_wrote_through_an_inherited_descriptor_publishes_with_whatever_thread) {
  write_as(kForksThread);
  EXPECT_TRUE(close_as(kFork));
}

TEST_F(HandleUsersTest, fallocate_truncate_and_copies_are_writes) {
  kernel.set_caller(kFork);
  EXPECT_FALSE(close_as(kFork));
  EXPECT_EQ(kernel.call(FUSE_FALLOCATE, kNode, packed(fuse_fallocate_in{kHandle, 0, 20, 0, 0})).error, 0);
  EXPECT_TRUE(close_as(kFork));

  callers.show(300, {});
  kernel.set_caller(300);
  fuse_setattr_in size{};
  size.valid = FATTR_SIZE | FATTR_FH;
  size.fh = kHandle;
  EXPECT_CALL(files, set_attributes).WillOnce(Return(sample_file(kNode)));
  EXPECT_EQ(kernel.call(FUSE_SETATTR, kNode, packed(size)).error, 0);
  EXPECT_TRUE(close_as(300));

  callers.show(400, {});
  kernel.set_caller(400);
  EXPECT_CALL(files, copy).WillOnce(Return(size_t{5}));
  EXPECT_EQ(kernel.call(FUSE_COPY_FILE_RANGE, 8, packed(fuse_copy_file_range_in{9, 0, kNode, kHandle, 0, 5, 0})).error,
            0);
  EXPECT_TRUE(close_as(400));
}

TEST_F(HandleUsersTest, what_came_through_a_mapping_is_published_by_the_first_close) {
  write_as(0, FUSE_WRITE_CACHE);
  EXPECT_TRUE(close_as(kFork));
  EXPECT_FALSE(close_as(kFork));
}

TEST_F(HandleUsersTest, who_cannot_be_seen_publishes) {
  EXPECT_TRUE(close_as(0));
  EXPECT_TRUE(close_as(999));
  EXPECT_FALSE(close_as(kFork));
  write_as(999);
  EXPECT_TRUE(close_as(kFork)) << "it may be the same process";
}

TEST_F(HandleUsersTest, more_processes_than_are_remembered_all_publish) {
  for (uint32_t process = 1000; process < 1300; ++process) {
    callers.show(process, {});
    write_as(process);
  }
  for (uint32_t process = 1000; process < 1300; ++process) ASSERT_TRUE(close_as(process)) << process;
}

TEST_F(HandleUsersTest, a_released_handle_is_forgotten) {
  EXPECT_EQ(kernel.call(FUSE_RELEASE, kNode, packed(fuse_release_in{kHandle, 0, 0, 0})).error, 0);
  EXPECT_TRUE(close_as(kFork)) << "nothing is known of it";
}

}  // namespace
}  // namespace cairn
