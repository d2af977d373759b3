// Which opens the kernel serves by itself, and on which node: what the kernel would refuse never comes to it.
#include <map>
#include <unordered_set>

#include "base/posix_error.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

// The kernel's table, and its rules of how a node may be open.
class FakeBackings final : public Backings {
 public:
  Result<int32_t> open(int fd) override {
    if (refuses) return fail_posix(EPERM, "not you");
    EXPECT_GE(fd, 0);
    is_open.insert(++last);
    return last;
  }
  void close(int32_t id) override { EXPECT_EQ(is_open.erase(id), 1U); }

  bool refuses = false;
  int32_t last = 0;
  std::unordered_set<int32_t> is_open;
};

// One call of open(2), as the kernel has it.
struct Opened {
  NodeId node = 0;
  OpenReply reply{};
  int error = 0;
  [[nodiscard]] bool is_native() const { return error == 0 && reply.backing != 0; }
  [[nodiscard]] bool is_cached() const { return error == 0 && reply.backing == 0; }
};

constexpr size_t kFileBytes = 200'000;  // several chunks
constexpr Caller kReader{0, 0, 11};
constexpr Caller kWriter{0, 0, 12};

class NativeTest : public ::testing::Test {
 protected:
  NativeTest() {
    a.files().set_backings(std::shared_ptr<Backings>(backings));
    EXPECT_TRUE(a.write("model", content('1')));
  }

  static std::string content(char with) { return std::string(kFileBytes, with); }

  Opened open_node(NodeId node, int flags, const Caller& caller) {
    const auto opened = a.files().open_file(node, flags, caller, test_context());
    if (!opened) return {.node = node, .error = to_errno(opened.error())};
    EXPECT_TRUE(opened->backing == 0 || !opened->keep_cache) << "the kernel fails both";
    EXPECT_TRUE(opened->backing == 0 || backings->is_open.contains(opened->backing));
    // fs/fuse/iomode.c
    auto& [count, backing] = modes[node];
    EXPECT_TRUE(count == 0 || backing == opened->backing) << "an open node takes no other kind of open: EIO";
    ++count;
    backing = opened->backing;
    return {node, *opened};
  }
  // By name: looks again on ESTALE, once.
  Opened open(const std::string& path, int flags = O_RDONLY, const Caller& caller = kReader) {
    Opened opened;
    for (int tries = 0; tries < 2; ++tries) {
      const auto found = a.hold(path);
      EXPECT_TRUE(found) << path;
      opened = open_node(found->node, flags, caller);
      if (opened.error != ESTALE) break;
      a.files().forget(found->node, 1);
    }
    EXPECT_EQ(opened.error, 0) << path;
    return opened;
  }
  // Without its name, by somebody who insists.
  Opened open_again(NodeId node, int flags, const Caller& caller = kReader) {
    const Opened opened = open_node(node, flags, caller);
    return opened.error == ESTALE ? open_node(node, flags, caller) : opened;
  }
  // The descriptor goes; the node stays known to the kernel.
  void close(const Opened& opened, bool written = false) {
    EXPECT_TRUE(!written || a.files().flush(opened.reply.handle, test_context()));
    --modes[opened.node].first;
    a.files().release(opened.reply.handle);
  }
  std::string read(const Opened& opened) { return content_or_error(a.read(opened.reply.handle)); }
  std::string bytes_by_name() {
    const Opened opened = open("model");
    std::string bytes = read(opened);
    close(opened);
    return bytes;
  }

  TestStore store;
  FileImageCache images;
  const std::shared_ptr<FakeBackings> backings = std::make_shared<FakeBackings>();
  TestHost a{store.objects(), {.host = "host-a", .publish_open = {.patterns = {"*.log"}}, .images = &images}};
  TestHost b{store.objects(), {.host = "host-b"}};
  std::map<NodeId, std::pair<int, int32_t>> modes;  // of the kernel: opens, and their backing
};

TEST_F(NativeTest, a_file_that_is_here_whole_is_read_natively_and_let_go_with_its_last_close) {
  const Opened first = open("model");
  const Opened second = open("model");
  EXPECT_TRUE(first.is_native());
  EXPECT_EQ(second.node, first.node);
  EXPECT_EQ(second.reply.backing, first.reply.backing);
  EXPECT_EQ(backings->last, 1) << "once for a node";
  close(first);
  EXPECT_EQ(backings->is_open.size(), 1U);
  close(second);
  EXPECT_TRUE(backings->is_open.empty());
  EXPECT_EQ(a.files().stats().native_reads.opens, 2U);
  EXPECT_EQ(a.files().stats().native_reads.why_not, "");
}

TEST_F(NativeTest, an_image_that_is_not_whole_or_a_kernel_that_refuses_is_no_native_read) {
  images.hide(true);
  const Opened incomplete = open("model");
  EXPECT_TRUE(incomplete.is_cached());
  close(incomplete);
  images.hide(false);
  backings->refuses = true;
  const Opened refused = open("model");
  EXPECT_TRUE(refused.is_cached());
  EXPECT_EQ(read(refused), content('1'));
  backings->refuses = false;
  close(refused);
}

TEST_F(NativeTest, a_mount_without_backings_says_why) {
  b.files().set_backings(fail(Errc::unsupported, "the kernel is old"));
  EXPECT_THAT(b.files().stats().native_reads.why_not, ::testing::HasSubstr("the kernel is old"));
}

TEST_F(NativeTest, who_has_a_file_open_from_before_it_was_whole_keeps_nobody_else_from_native_reads) {
  images.hide(true);
  const Opened early = open("model");
  images.hide(false);
  const Opened insists = open_again(early.node, O_RDONLY);
  EXPECT_TRUE(insists.is_cached()) << "while others have it open so";
  const Opened late = open("model");
  EXPECT_TRUE(late.is_native());
  EXPECT_NE(late.node, early.node);
  EXPECT_EQ(open("model").node, late.node);
  EXPECT_EQ(read(early), content('1'));
  close(early);
  close(insists);
  EXPECT_TRUE(open_again(early.node, O_RDONLY).is_native());
}

TEST_F(NativeTest, a_kernel_that_does_not_look_again_is_told_to) {
  images.hide(true);
  const Opened early = open("model");
  images.hide(false);
  EXPECT_EQ(open_node(early.node, O_RDONLY, kReader).error, ESTALE);
}

TEST_F(NativeTest, a_writer_gets_a_node_of_its_own_and_native_readers_keep_their_version) {
  const Opened reader = open("model");
  const Opened writer = open("model", O_RDWR, kWriter);
  EXPECT_TRUE(writer.is_cached());
  EXPECT_NE(writer.node, reader.node);
  EXPECT_TRUE(a.pwrite(writer.reply.handle, 0, "new"));
  EXPECT_EQ(read(reader), content('1'));
  const Opened later = open("model");
  EXPECT_EQ(later.node, writer.node);
  EXPECT_EQ(read(later).substr(0, 4), "new1");
  EXPECT_EQ(open_node(reader.node, O_RDONLY, kReader).error, ESTALE) << "another node has newer bytes";
  const Opened insists = open_node(reader.node, O_RDONLY, kReader);
  EXPECT_EQ(insists.reply.backing, reader.reply.backing) << "as the kernel has the node open";
  close(writer, true);
  EXPECT_EQ(read(reader), content('1'));
  EXPECT_EQ(bytes_by_name().substr(0, 4), "new1");
  EXPECT_EQ(b.read("model")->substr(0, 4), "new1");
}

TEST_F(NativeTest, a_node_that_is_read_natively_cannot_be_written_without_its_name_until_it_is_closed) {
  const Opened reader = open("model");
  EXPECT_EQ(open_node(reader.node, O_RDWR, kWriter).error, ESTALE);
  EXPECT_EQ(open_node(reader.node, O_RDWR, kWriter).error, ETXTBSY);
  EXPECT_EQ(open_again(reader.node, O_WRONLY | O_TRUNC, kWriter).error, ETXTBSY);
  close(reader);
  EXPECT_EQ(open_again(reader.node, O_RDWR, kWriter).error, 0);
}

TEST_F(NativeTest, truncating_a_natively_read_file_leaves_its_readers_what_they_have) {
  const Opened reader = open("model");
  const auto empty = a.hold("model");
  const auto cut = [&](NodeId node) {
    return errno_of(a.files().set_attributes(node, {.size_bytes = 3, .thread = kWriter.thread}, test_context()));
  };
  EXPECT_EQ(cut(empty->node), ESTALE);
  EXPECT_EQ(cut(a.hold("model")->node), 0);
  EXPECT_EQ(a.stat("model")->attributes.size_bytes, 3U);
  EXPECT_EQ(b.read("model").value(), "111");
  EXPECT_EQ(read(reader), content('1'));
  EXPECT_EQ(a.files().get_attributes(reader.node, reader.reply.handle, test_context())->attributes.size_bytes,
            kFileBytes);
}

// By the first refusal, whatever it was for: the kernel looks again only once.
TEST_F(NativeTest, a_writer_who_comes_with_an_old_node_to_a_natively_read_version_is_refused_once_only) {
  const Opened old_reader = open("model");
  EXPECT_TRUE(b.write("model", content('2')));
  const Opened reader = open("model");
  EXPECT_TRUE(reader.is_native());
  EXPECT_NE(reader.node, old_reader.node);
  EXPECT_EQ(open_node(old_reader.node, O_RDWR, kWriter).error, ESTALE);
  const Opened writer = open_node(a.hold("model")->node, O_RDWR, kWriter);
  EXPECT_EQ(writer.error, 0);
  EXPECT_EQ(read(writer), content('2'));
}

TEST_F(NativeTest, a_file_that_is_written_in_place_is_alive_for_ten_minutes) {
  const Opened writer = open("model", O_RDWR, kWriter);
  EXPECT_TRUE(open("model").is_cached());
  EXPECT_TRUE(a.pwrite(writer.reply.handle, 7, "x"));
  close(writer, true);
  a.files().forget(writer.node, 3);
  const Opened soon = open("model");
  EXPECT_TRUE(soon.is_cached());
  a.clock().advance(std::chrono::minutes(11));
  const Opened later = open("model");
  EXPECT_TRUE(later.is_native());
}

TEST_F(NativeTest, a_file_that_is_replaced_is_not_alive) {
  const Opened old_reader = open("model");
  const Opened writer = open("model", O_WRONLY | O_CREAT | O_TRUNC, kWriter);
  EXPECT_TRUE(a.pwrite(writer.reply.handle, 0, content('2')));
  close(writer, true);
  a.clock().advance(std::chrono::minutes(11));  // to be written it was refused once
  EXPECT_TRUE(a.write("fresh", content('3')));
  const Opened fresh = open("fresh");
  EXPECT_TRUE(fresh.is_native());
  close(fresh);
  EXPECT_TRUE(a.rename("fresh", "model"));
  const Opened reader = open("model");
  EXPECT_TRUE(reader.is_native());
  EXPECT_EQ(read(reader), content('3'));
  EXPECT_EQ(read(old_reader), content('1'));
}

TEST_F(NativeTest, what_is_published_while_it_is_open_is_never_read_natively) {
  EXPECT_TRUE(a.write("train.log", content('l')));
  EXPECT_TRUE(open("train.log").is_cached());
}

TEST_F(NativeTest, a_native_reader_sees_no_growth_and_who_comes_after_it_does) {
  const Opened first = open("model");
  const auto appender = b.open("model", O_WRONLY | O_APPEND);
  EXPECT_TRUE(b.pwrite(*appender, 0, "more"));
  EXPECT_TRUE(b.close(*appender));
  const auto seen = a.files().get_attributes(first.node, first.reply.handle, test_context());
  EXPECT_EQ(seen->attributes.size_bytes, kFileBytes);
  const Opened second = open("model");
  EXPECT_TRUE(second.is_cached()) << "it is alive";
  EXPECT_EQ(read(second), content('1') + "more");
  EXPECT_EQ(read(first), content('1'));
}

TEST_F(NativeTest, versions_are_read_natively) {
  EXPECT_TRUE(a.write("model", content('2')));
  EXPECT_TRUE(a.write("model", content('3')));
  const Opened old = open(".versions/model/1");
  EXPECT_TRUE(old.is_native());
  EXPECT_EQ(read(old), content('1'));
}

TEST_F(NativeTest, what_is_read_natively_can_be_searched_copied_renamed_and_unlinked) {
  const Opened reader = open("model");
  EXPECT_EQ(a.files().seek(reader.reply.handle, 0, SEEK_HOLE, test_context()).value(), kFileBytes);
  const auto target = a.open("copy", O_WRONLY | O_CREAT);
  EXPECT_EQ(a.files().copy(reader.reply.handle, 0, *target, 0, kFileBytes, test_context()).value(), kFileBytes);
  EXPECT_TRUE(a.close(*target));
  EXPECT_EQ(b.read("copy").value(), content('1'));
  EXPECT_TRUE(a.set_attributes("model", {.mode = 0600}));
  EXPECT_TRUE(a.set_xattr("model", "user.k", "v"));
  EXPECT_TRUE(a.rename("model", "moved"));
  EXPECT_EQ(read(open("moved")), content('1'));
  EXPECT_TRUE(a.unlink("moved"));
  EXPECT_EQ(open_again(reader.node, O_RDONLY).reply.backing, reader.reply.backing);
  EXPECT_EQ(a.files().get_attributes(reader.node, {}, test_context())->attributes.nlink, 0U);
}

TEST_F(NativeTest, an_eviction_takes_nothing_from_who_reads) {
  const Opened reader = open("model");
  images.hide(true);
  images.evict();
  const Opened again = open("model");
  EXPECT_EQ(again.reply.backing, reader.reply.backing) << "as long as the node is open so";
  close(again);
  close(reader);
  EXPECT_TRUE(open("model").is_cached());
}

TEST_F(NativeTest, a_node_that_is_open_to_be_written_is_the_one_that_look_ups_give) {
  images.hide(true);
  const Opened early = open("model");
  images.hide(false);
  const Opened late = open("model");
  close(late);
  const Opened writer = open_again(early.node, O_RDWR, kWriter);
  EXPECT_EQ(writer.error, 0);
  const Opened reader = open("model");
  EXPECT_EQ(reader.node, early.node);
  EXPECT_TRUE(a.pwrite(writer.reply.handle, 0, "new"));
  EXPECT_EQ(read(reader).substr(0, 4), "new1");
  EXPECT_EQ(read(early).substr(0, 4), "new1");
}

// Refused once, it comes back with what was renamed meanwhile.
TEST_F(NativeTest, a_file_that_is_renamed_while_it_is_read_natively_can_be_written_at_once) {
  EXPECT_TRUE(a.write("other", content('2')));
  const Opened reader = open("model");
  const Opened other = open("other");
  EXPECT_EQ(open_node(reader.node, O_RDWR, kWriter).error, ESTALE);
  EXPECT_TRUE(a.rename("other", "model"));
  const Opened writer = open_node(a.hold("model")->node, O_RDWR, kWriter);
  EXPECT_EQ(writer.error, 0);
  EXPECT_NE(writer.node, other.node);
}

TEST_F(NativeTest, the_second_look_at_a_name_is_served_whatever_the_first_was_refused_for) {
  const Opened reader = open("model");
  EXPECT_EQ(open_node(reader.node, O_RDWR, kWriter).error, ESTALE);
  const NodeId found = a.hold("model")->node;
  EXPECT_TRUE(b.write("model", content('2')));  // before the second open comes
  EXPECT_EQ(open_node(found, O_RDWR, kWriter).error, 0);
}

TEST_F(NativeTest, an_open_that_makes_the_file_cannot_be_told_of_a_backing) {
  const auto opened = a.files().create(kRootNode, "model", 0644, O_RDONLY | O_CREAT, kReader, test_context());
  EXPECT_EQ(errno_of(opened), ESTALE);
  EXPECT_TRUE(backings->is_open.empty());
}

}  // namespace
}  // namespace cairn
