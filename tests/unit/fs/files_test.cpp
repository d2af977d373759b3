#include <linux/falloc.h>
#include <unistd.h>

#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

class Files : public OneHost {};

TEST_F(Files, what_was_written_and_closed_is_read_back) {
  write("f", "hello");
  EXPECT_EQ(read("f"), "hello");
  EXPECT_EQ(stat("f").size_bytes, 5U);
  host.restart();
  EXPECT_EQ(read("f"), "hello");
}

TEST_F(Files, a_large_file_is_read_back_from_its_chunks) {
  const Buffer bytes = random_bytes(1'000'000, 3);
  write("f", as_text(bytes.view()));
  host.restart();
  EXPECT_EQ(read("f"), as_text(bytes.view()));
}

TEST_F(Files, readers_that_were_open_before_see_a_local_write_at_once) {
  write("f", "old");
  const HandleId reader = open("f", O_RDONLY);
  EXPECT_EQ(content_or_error(host.read(reader)), "old");
  const HandleId writer = open("f", O_WRONLY);
  ASSERT_TRUE(host.pwrite(writer, 0, "new!"));
  EXPECT_EQ(content_or_error(host.read(reader)), "new!");
  EXPECT_EQ(stat("f").size_bytes, 4U);
  ASSERT_TRUE(host.close(writer));
  EXPECT_EQ(content_or_error(host.read(reader)), "new!");
  host.files().release(reader);
}

TEST_F(Files, two_writers_of_one_host_share_the_bytes) {
  const HandleId one = open("f", O_RDWR | O_CREAT);
  const HandleId two = open("f", O_RDWR);
  ASSERT_TRUE(host.pwrite(one, 0, "aaaa"));
  ASSERT_TRUE(host.pwrite(two, 2, "bbbb"));
  EXPECT_EQ(content_or_error(host.read(one)), "aabbbb");
  ASSERT_TRUE(host.close(one));
  ASSERT_TRUE(host.close(two));
  EXPECT_EQ(read("f"), "aabbbb");
}

TEST_F(Files, append_writes_at_the_end_whatever_the_offset) {
  write("f", "one");
  const HandleId handle = open("f", O_WRONLY | O_APPEND);
  ASSERT_TRUE(host.pwrite(handle, 0, "two"));
  ASSERT_TRUE(host.pwrite(handle, 0, "three"));
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(read("f"), "onetwothree");
}

TEST_F(Files, o_trunc_empties_and_close_publishes_the_emptiness) {
  write("f", "content");
  const HandleId handle = open("f", O_WRONLY | O_TRUNC);
  EXPECT_EQ(stat("f").size_bytes, 0U);
  ASSERT_TRUE(host.close(handle));
  host.restart();
  EXPECT_EQ(read("f"), "");
}

TEST_F(Files, reading_only_publishes_nothing) {
  write("f", "x");
  const uint64_t before = host.counters().versions_published;
  read("f");
  const HandleId handle = open("f", O_RDWR);
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(host.counters().versions_published, before);
}

TEST_F(Files, each_open_file_that_wrote_is_one_version_however_often_it_was_flushed) {
  write("f", "1");
  const HandleId handle = open("f", O_WRONLY);
  ASSERT_TRUE(host.pwrite(handle, 0, "2"));
  ASSERT_TRUE(host.files().flush(handle, test_context()));
  ASSERT_TRUE(host.pwrite(handle, 0, "3"));
  ASSERT_TRUE(host.files().sync(handle, test_context()));
  ASSERT_TRUE(host.pwrite(handle, 0, "4"));
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(host.files().entry_at("f", test_context())->versions.size(), 2U);
  EXPECT_EQ(read("f"), "4");
}

TEST_F(Files, what_a_mapping_leaves_after_the_last_flush_is_published_at_release) {
  const auto node = host.hold("");
  const auto created = host.files().create(node->node, "f", 0644, O_RDWR | O_CREAT, {}, test_context());
  ASSERT_TRUE(created);
  ASSERT_TRUE(host.files().flush(created->second.handle, test_context()));
  ASSERT_TRUE(host.files().write_back(created->first.node, 0, as_bytes("mapped"), test_context()));
  host.files().release(created->second.handle);
  host.files().forget(created->first.node, 1);
  host.restart();
  EXPECT_EQ(read("f"), "mapped");
}

TEST_F(Files, an_unlinked_open_file_lives_on_and_vanishes) {
  const HandleId handle = open("f", O_RDWR | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "kept"));
  const auto held = host.hold("f");
  ASSERT_TRUE(host.unlink("f"));
  EXPECT_EQ(content_or_error(host.read(handle)), "kept");
  ASSERT_TRUE(host.pwrite(handle, 4, " on"));
  EXPECT_EQ(content_or_error(host.read(handle)), "kept on");
  const auto attributes = host.files().get_attributes(held->node, handle, test_context())->attributes;
  EXPECT_EQ(attributes.nlink, 0U);
  EXPECT_EQ(attributes.size_bytes, 7U);
  EXPECT_EQ(host.files().set_attributes(held->node, {.mode = 0600}, test_context())->attributes.mode, 0600U);
  EXPECT_TRUE(host.close(handle));
  host.files().forget(held->node, 1);
  EXPECT_EQ(errno_of(host.stat("f")), ENOENT);
  EXPECT_EQ(host.files().stats().open_drafts, 0U);
}

TEST_F(Files, a_file_that_was_replaced_while_open_does_not_come_back) {
  write("f", "old");
  write("tmp", "new");
  const HandleId old = open("f", O_RDWR);
  ASSERT_TRUE(host.rename("tmp", "f"));
  ASSERT_TRUE(host.pwrite(old, 0, "OLD"));
  EXPECT_EQ(content_or_error(host.read(old)), "OLD");
  ASSERT_TRUE(host.close(old));
  EXPECT_EQ(read("f"), "new");
}

TEST_F(Files, a_file_renamed_while_open_is_published_under_its_new_name) {
  ASSERT_TRUE(host.mkdir("d"));
  const HandleId handle = open("tmp", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "moved"));
  ASSERT_TRUE(host.rename("tmp", "d/f"));
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(read("d/f"), "moved");
  EXPECT_EQ(errno_of(host.stat("tmp")), ENOENT);
}

TEST_F(Files, an_unclosed_file_that_replaces_another_is_published_by_the_rename) {
  write("model", "old");
  const HandleId handle = open("tmp", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "new"));
  ASSERT_TRUE(host.rename("tmp", "model"));
  TestHost other(objects, {.host = "host-b"});
  EXPECT_EQ(content_or_error(other.read("model")), "new");
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(host.files().entry_at("model", test_context())->versions.size(), 2U);
}

TEST_F(Files, an_empty_file_that_replaces_another_is_empty) {
  write("f", "old");
  ASSERT_TRUE(host.close(open("tmp", O_WRONLY | O_CREAT)));
  ASSERT_TRUE(host.rename("tmp", "f"));
  EXPECT_EQ(read("f"), "");
  host.restart();
  EXPECT_EQ(read("f"), "");
}

TEST_F(Files, a_name_that_is_made_again_is_empty_and_continues_the_history) {
  write("f", "old");
  ASSERT_TRUE(host.unlink("f"));
  const HandleId handle = open("f", O_RDWR | O_CREAT);
  EXPECT_EQ(content_or_error(host.read(handle)), "");
  ASSERT_TRUE(host.pwrite(handle, 0, "new"));
  ASSERT_TRUE(host.close(handle));
  const auto entry = host.files().entry_at("f", test_context());
  EXPECT_EQ(entry->versions.size(), 2U);
  EXPECT_EQ(read("f"), "new");
}

TEST_F(Files, truncate_without_a_handle_is_published_when_it_returns) {
  write("f", "0123456789");
  ASSERT_TRUE(host.truncate("f", 4));
  host.kill_and_restart();
  EXPECT_EQ(read("f"), "0123");
  ASSERT_TRUE(host.truncate("f", 6));
  EXPECT_EQ(read("f"), std::string("0123\0\0", 6));
}

TEST_F(Files, truncate_without_a_handle_leaves_publication_to_whoever_writes) {
  const HandleId handle = open("f", O_RDWR | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "0123456789"));
  ASSERT_TRUE(host.truncate("f", 4));
  EXPECT_EQ(host.counters().versions_published, 0U);
  EXPECT_EQ(content_or_error(host.read(handle)), "0123");
  ASSERT_TRUE(host.close(handle));
  EXPECT_EQ(read("f"), "0123");
}

TEST_F(Files, a_tebibyte_made_by_truncate_costs_nothing) {
  write("f", "");
  ASSERT_TRUE(host.truncate("f", 1ULL << 40));
  EXPECT_EQ(stat("f").size_bytes, 1ULL << 40);
  const HandleId handle = open("f", O_RDONLY);
  std::array<std::byte, 16> out{};
  EXPECT_EQ(host.files().read(handle, (1ULL << 40) - 8, out, test_context()), 8U);
  host.files().release(handle);
  EXPECT_EQ(errno_of(host.truncate("f", 1ULL << 63)), EFBIG);
}

TEST_F(Files, fallocate_and_seek_agree_about_holes) {
  constexpr uint64_t kChunk = 64U << 10;
  const Buffer bytes = random_bytes(4 * kChunk, 1);
  const HandleId handle = open("f", O_RDWR | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, as_text(bytes.view())));
  FileSystem& files = host.files();
  const auto context = test_context();
  ASSERT_TRUE(files.allocate(handle, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kChunk, kChunk, context));
  EXPECT_EQ(files.seek(handle, 0, SEEK_HOLE, context), kChunk);
  EXPECT_EQ(files.seek(handle, kChunk, SEEK_DATA, context), 2 * kChunk);
  EXPECT_EQ(errno_of(files.seek(handle, 4 * kChunk, SEEK_DATA, context)), ENXIO);
  EXPECT_EQ(errno_of(files.seek(handle, 0, 99, context)), EINVAL);
  ASSERT_TRUE(files.allocate(handle, 0, 4 * kChunk, 10, context));
  EXPECT_EQ(stat("f").size_bytes, 4 * kChunk + 10);
  ASSERT_TRUE(files.allocate(handle, FALLOC_FL_ZERO_RANGE, 4 * kChunk, 20, context));
  EXPECT_EQ(stat("f").size_bytes, 4 * kChunk + 20);
  EXPECT_EQ(errno_of(files.allocate(handle, FALLOC_FL_COLLAPSE_RANGE, 0, kChunk, context)), EOPNOTSUPP);
  EXPECT_EQ(errno_of(files.allocate(handle, 0, 0, 0, context)), EINVAL);
  ASSERT_TRUE(host.close(handle));
}

TEST_F(Files, handles_say_no_to_what_they_were_not_opened_for) {
  write("f", "x");
  const HandleId reader = open("f", O_RDONLY);
  EXPECT_EQ(errno_of(host.pwrite(reader, 0, "y")), EBADF);
  host.files().release(reader);
  EXPECT_EQ(errno_of(host.pwrite(reader, 0, "y")), EBADF);
}

TEST_F(Files, an_exclusive_create_is_in_the_store_when_it_returns) {
  const HandleId handle = open("lock", O_WRONLY | O_CREAT | O_EXCL);
  host.files().release(handle);
  host.kill_and_restart();
  EXPECT_TRUE(host.stat("lock"));
}

TEST_F(Files, fsync_makes_an_empty_file_and_its_mode_durable) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.files().sync(handle, test_context()));
  host.files().release(handle);
  host.kill_and_restart();
  EXPECT_EQ(stat("f").mode, 0644U);
}

TEST_F(Files, a_read_only_mount_takes_no_change_and_reads_all) {
  write("f", "x");
  ASSERT_TRUE(host.mkdir("d"));
  TestHost reader(objects, {.host = "reader", .read_only = true});
  EXPECT_EQ(content_or_error(reader.read("f")), "x");
  EXPECT_EQ(errno_of(reader.open("f", O_RDWR)), EROFS);
  EXPECT_EQ(errno_of(reader.write("g", "x")), EROFS);
  EXPECT_EQ(errno_of(reader.unlink("f")), EROFS);
  EXPECT_EQ(errno_of(reader.mkdir("e")), EROFS);
  EXPECT_EQ(errno_of(reader.rmdir("d")), EROFS);
  EXPECT_EQ(errno_of(reader.rename("f", "g")), EROFS);
  EXPECT_EQ(errno_of(reader.truncate("f", 0)), EROFS);
  EXPECT_EQ(errno_of(reader.set_xattr("f", "user.a", "b")), EROFS);
}

TEST_F(Files, a_missing_chunk_is_eio_and_not_enoent) {
  const Buffer bytes = random_bytes(200'000, 9);
  write("f", as_text(bytes.view()));
  host.restart();
  objects.add(
      {.operation = ObjectOperation::get, .key_prefix = "chunks/", .times = kEveryTime, .error = Errc::not_found});
  TestHost fresh(objects, {.host = "host-b"});
  EXPECT_EQ(errno_of(fresh.read("f")), EIO);
}

TEST_F(Files, nodes_go_when_they_are_forgotten) {
  write("f", "x");
  ASSERT_TRUE(host.mkdir("d"));
  const uint64_t before = host.files().stats().nodes;
  const auto file = host.hold("f");
  const auto again = host.hold("f");
  EXPECT_EQ(file->node, again->node);
  EXPECT_EQ(host.files().stats().nodes, before + 1);
  host.files().forget(file->node, 2);
  EXPECT_EQ(host.files().stats().nodes, before);
  EXPECT_EQ(errno_of(host.files().get_attributes(file->node, std::nullopt, test_context())), ESTALE);
}

TEST_F(Files, an_open_file_outlives_its_lookups) {
  write("f", "x");
  const HandleId handle = open("f", O_RDONLY);
  EXPECT_EQ(content_or_error(host.read(handle)), "x");
  host.files().release(handle);
}

}  // namespace
}  // namespace cairn
