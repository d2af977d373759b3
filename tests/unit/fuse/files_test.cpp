// Requests about the bytes of files and the entries of directories.
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/posix_error.h"
#include "tests/unit/fuse/shell_fixture.h"

namespace cairn {
namespace {

using ::testing::_;
using ::testing::Return;

class FuseFilesTest : public FuseShellTest {
 protected:
  void SetUp() override {
    FuseShellTest::SetUp();
    start();
  }

  FakeKernel::Reply read(uint64_t offset, uint32_t size) {
    fuse_read_in body{};
    body.fh = 55;
    body.offset = offset;
    body.size = size;
    return kernel.call(FUSE_READ, 7, packed(body));
  }

  FakeKernel::Reply write(const std::string& bytes, uint32_t write_flags) {
    fuse_write_in body{};
    body.fh = 55;
    body.offset = 4096;
    body.size = static_cast<uint32_t>(bytes.size());
    body.write_flags = write_flags;
    return kernel.call(FUSE_WRITE, 7, packed(body) + bytes);
  }

  FakeKernel::Reply list(uint32_t opcode, uint32_t size) {
    fuse_read_in body{};
    body.fh = 66;
    body.size = size;
    return kernel.call(opcode, 1, packed(body));
  }
};

TEST_F(FuseFilesTest, an_open_keeps_cached_pages_and_a_read_only_close_needs_no_round_trip) {
  EXPECT_CALL(files, open_file(7, O_RDONLY, _, _)).WillOnce(Return(OpenReply{55, true}));
  const auto opened = kernel.call(FUSE_OPEN, 7, packed(fuse_open_in{O_RDONLY, 0})).as<fuse_open_out>();
  EXPECT_EQ(opened.fh, 55U);
  EXPECT_EQ(opened.open_flags, static_cast<uint32_t>(FOPEN_KEEP_CACHE | FOPEN_NOFLUSH));
}

TEST_F(FuseFilesTest, a_descriptor_that_can_write_is_flushed_at_every_close) {
  EXPECT_CALL(files, open_file(7, O_RDWR | O_TRUNC, _, _)).WillOnce(Return(OpenReply{56, false}));
  const auto opened = kernel.call(FUSE_OPEN, 7, packed(fuse_open_in{O_RDWR | O_TRUNC, 0})).as<fuse_open_out>();
  EXPECT_EQ(opened.fh, 56U);
  EXPECT_EQ(opened.open_flags, 0U);
}

TEST_F(FuseFilesTest, a_node_that_another_host_replaced_is_stale) {
  EXPECT_CALL(files, open_file).WillOnce(Return(fail_posix(ESTALE, "a newer version is published")));
  EXPECT_EQ(kernel.call(FUSE_OPEN, 7, packed(fuse_open_in{})).error, ESTALE);
}

TEST_F(FuseFilesTest, a_read_answers_the_bytes_that_are_there) {
  ON_CALL(files, read).WillByDefault([](HandleId, uint64_t offset, MutableByteView out, const RequestContext&) {
    const size_t count = std::min<size_t>(out.size(), 10000 - std::min<uint64_t>(offset, 10000));
    std::fill_n(out.begin(), count, std::byte{'r'});
    return Result<size_t>(count);
  });
  EXPECT_EQ(read(0, 8192).body, std::string(8192, 'r'));
  EXPECT_EQ(read(8192, 8192).body, std::string(1808, 'r'));
  EXPECT_EQ(read(1 << 20, 8192).body, "");
}

TEST_F(FuseFilesTest, damage_is_eio_to_the_reader) {
  EXPECT_CALL(files, read).WillOnce(Return(fail(Errc::corrupt, "chunk 3f2a…: digest does not match")));
  EXPECT_EQ(read(0, 4096).error, EIO);
}

TEST_F(FuseFilesTest, an_exception_of_a_library_is_eio_and_the_daemon_lives) {
  EXPECT_CALL(files, read)
      .WillOnce([](HandleId, uint64_t, MutableByteView, const RequestContext&) -> Result<size_t> {
        throw std::runtime_error("a library's surprise");
      })
      .WillOnce(Return(size_t{0}));
  EXPECT_EQ(read(0, 4096).error, EIO);
  EXPECT_EQ(read(0, 4096).error, 0);
}

TEST_F(FuseFilesTest, a_write_goes_to_its_descriptor) {
  EXPECT_CALL(files, write(55, 4096, _, _)).WillOnce([](HandleId, uint64_t, ByteView bytes, const RequestContext&) {
    EXPECT_EQ(as_text(bytes), std::string(70000, 'w'));
    return Result<size_t>(bytes.size());
  });
  EXPECT_EQ(write(std::string(70000, 'w'), 0).as<fuse_write_out>().size, 70000U);
}

TEST_F(FuseFilesTest, a_write_of_the_page_cache_goes_to_its_node_whatever_descriptor_it_names) {
  EXPECT_CALL(files, write).Times(0);
  EXPECT_CALL(files, write_back(7, 4096, _, _)).WillOnce(Return(size_t{3}));
  EXPECT_EQ(write("abc", FUSE_WRITE_CACHE).as<fuse_write_out>().size, 3U);
}

TEST_F(FuseFilesTest, a_full_disk_is_told_to_the_writer) {
  EXPECT_CALL(files, write).WillOnce(Return(fail(Errc::no_space, "staging is full")));
  EXPECT_EQ(write("abc", 0).error, ENOSPC);
}

TEST_F(FuseFilesTest, close_and_fsync_publish_and_have_the_longer_deadline) {
  const auto has_long_deadline = [](HandleId, const RequestContext& context) {
    EXPECT_GT(context.remaining(), std::chrono::minutes(30));
    EXPECT_EQ(context.cause, Cause::write_back);
    return Result<void>{};
  };
  EXPECT_CALL(files, flush(55, _)).WillOnce(has_long_deadline);
  EXPECT_CALL(files, sync(55, _)).WillOnce(has_long_deadline);
  EXPECT_CALL(files, release(55));
  EXPECT_EQ(kernel.call(FUSE_FLUSH, 7, packed(fuse_flush_in{55, 0, 0, 0})).error, 0);
  EXPECT_EQ(kernel.call(FUSE_FSYNC, 7, packed(fuse_fsync_in{55, 0, 0})).error, 0);
  EXPECT_EQ(kernel.call(FUSE_RELEASE, 7, packed(fuse_release_in{55, 0, 0, 0})).error, 0);
}

TEST_F(FuseFilesTest, a_copy_within_the_mount_is_passed_on) {
  EXPECT_CALL(files, copy(55, 4096, 56, 0, 1000, _)).WillOnce(Return(size_t{700}));
  EXPECT_CALL(files, copy(55, 0, 56, 0, 0x7ffff000, _)).WillOnce(Return(fail_posix(EBADF, "appends only")));
  const auto copy = [&](uint64_t from_offset, uint64_t length, uint64_t flags) {
    return kernel.call(FUSE_COPY_FILE_RANGE, 7,
                       packed(fuse_copy_file_range_in{55, from_offset, 8, 56, 0, length, flags}));
  };
  EXPECT_EQ(copy(4096, 1000, 0).as<fuse_write_out>().size, 700U);
  EXPECT_EQ(copy(0, uint64_t{1} << 40, 0).error, EBADF);
  EXPECT_EQ(copy(0, 1000, 1).error, EINVAL);
}

TEST_F(FuseFilesTest, fallocate_and_seek_are_passed_on) {
  EXPECT_CALL(files, allocate(55, FALLOC_FL_KEEP_SIZE, 10, 20, _)).WillOnce(Return(Result<void>{}));
  EXPECT_CALL(files, seek(55, 5, SEEK_HOLE, _)).WillOnce(Return(uint64_t{4096}));
  EXPECT_CALL(files, seek(55, 9999, SEEK_DATA, _)).WillOnce(Return(fail_posix(ENXIO, "past the end")));
  EXPECT_EQ(kernel.call(FUSE_FALLOCATE, 7, packed(fuse_fallocate_in{55, 10, 20, FALLOC_FL_KEEP_SIZE, 0})).error, 0);
  EXPECT_EQ(kernel.call(FUSE_LSEEK, 7, packed(fuse_lseek_in{55, 5, SEEK_HOLE, 0})).as<fuse_lseek_out>().offset, 4096U);
  EXPECT_EQ(kernel.call(FUSE_LSEEK, 7, packed(fuse_lseek_in{55, 9999, SEEK_DATA, 0})).error, ENXIO);
}

TEST_F(FuseFilesTest, a_listing_ends_where_the_reply_is_full) {
  ON_CALL(files, open_directory).WillByDefault(Return(HandleId{66}));
  int taken = 0;
  EXPECT_CALL(files, read_directory(66, 0, false, _, _))
      .WillOnce([&](HandleId, uint64_t, bool, const FileSystem::Emit& emit, const RequestContext&) {
        for (uint64_t next = 1; emit({"entry", next, Kind::file}, std::nullopt, next); ++next) ++taken;
        return Result<void>{};
      });
  EXPECT_EQ(kernel.call(FUSE_OPENDIR, 1, packed(fuse_open_in{})).as<fuse_open_out>().fh, 66U);
  constexpr size_t kEntryBytes = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 5);
  const auto reply = list(FUSE_READDIR, 10 * kEntryBytes + 7);
  EXPECT_EQ(taken, 10);
  EXPECT_EQ(reply.body.size(), 10 * kEntryBytes);
  const auto second = reply.as<fuse_dirent>(kEntryBytes);
  EXPECT_EQ(second.ino, 2U);
  EXPECT_EQ(second.off, 2U);
  EXPECT_EQ(second.type, static_cast<uint32_t>(S_IFREG >> 12));
  EXPECT_EQ(second.namelen, 5U);
}

TEST_F(FuseFilesTest, a_listing_with_attributes_names_a_node_only_for_what_was_looked_up) {
  EXPECT_CALL(files, read_directory(66, 0, true, _, _))
      .WillOnce([](HandleId, uint64_t, bool, const FileSystem::Emit& emit, const RequestContext&) {
        EXPECT_TRUE(emit({"file", 99, Kind::file}, sample_file(7), 1));
        EXPECT_TRUE(emit({"dir", 98, Kind::directory}, std::nullopt, 2));
        return Result<void>{};
      });
  const auto reply = list(FUSE_READDIRPLUS, 4096);
  const auto file = reply.as<fuse_direntplus>();
  EXPECT_EQ(file.entry_out.nodeid, 7U);
  EXPECT_EQ(file.entry_out.attr.size, 12345U);
  EXPECT_EQ(file.dirent.ino, 99U);
  const auto directory = reply.as<fuse_direntplus>(FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + 4));
  EXPECT_EQ(directory.entry_out.nodeid, 0U);
  EXPECT_EQ(directory.dirent.ino, 98U);
  EXPECT_EQ(directory.dirent.type, static_cast<uint32_t>(S_IFDIR >> 12));
}

TEST_F(FuseFilesTest, a_listing_that_fails_half_way_tells_what_it_has) {
  EXPECT_CALL(files, read_directory)
      .WillOnce([](HandleId, uint64_t, bool, const FileSystem::Emit& emit, const RequestContext&) {
        emit({"file", 99, Kind::file}, sample_file(7), 1);
        return Result<void>(fail(Errc::unavailable, "the store does not answer"));
      })
      .WillOnce(Return(fail(Errc::unavailable, "the store does not answer")));
  EXPECT_EQ(list(FUSE_READDIRPLUS, 4096).as<fuse_direntplus>().entry_out.nodeid, 7U);
  EXPECT_EQ(list(FUSE_READDIRPLUS, 4096).error, EIO);
}

TEST_F(FuseFilesTest, a_directory_is_synced_and_released) {
  EXPECT_CALL(files, sync_directory(1, _)).WillOnce(Return(Result<void>{}));
  EXPECT_CALL(files, release_directory(66));
  EXPECT_EQ(kernel.call(FUSE_FSYNCDIR, 1, packed(fuse_fsync_in{66, 0, 0})).error, 0);
  EXPECT_EQ(kernel.call(FUSE_RELEASEDIR, 1, packed(fuse_release_in{66, 0, 0, 0})).error, 0);
}

TEST_F(FuseFilesTest, streamed_pages_arrive_in_the_page_cache_of_their_node) {
  auto chunk = std::make_shared<const Buffer>(Buffer::copy_of(as_bytes(std::string(3 * 4096, 'p'))));
  page_sink(7, 8192, chunk->view().first(4096), chunk);
  const auto stored = kernel.wait_for_pages();
  EXPECT_EQ(stored.node, 7U);
  EXPECT_EQ(stored.offset, 8192U);
  EXPECT_EQ(stored.bytes, std::string(4096, 'p'));
}

}  // namespace
}  // namespace cairn
