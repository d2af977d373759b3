#include <set>
#include <thread>

#include "base/posix_error.h"
#include "fs/entry_locks.h"
#include "fs/name.h"
#include "tests/support/gate.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;

TEST(Errno, posix_wins_over_the_code) {
  EXPECT_EQ(to_errno(Error(Errc::invalid_argument, "", ENOTEMPTY)), ENOTEMPTY);
  EXPECT_EQ(to_errno(Error(Errc::not_found, "")), ENOENT);
}

TEST(Errno, every_code_has_one) {
  for (int code = 0; code <= static_cast<int>(Errc::io); ++code) {
    EXPECT_GT(to_errno(Error(static_cast<Errc>(code), "")), 0);
  }
}

TEST(Errno, a_missing_object_is_no_missing_file) {
  EXPECT_EQ(to_errno(as_io_error(Error(Errc::not_found, "chunk"))), EIO);
  EXPECT_EQ(to_errno(as_io_error(Error(Errc::no_space, "disk"))), ENOSPC);
}

TEST(Errno, posix_errors_have_a_fitting_code) {
  EXPECT_EQ(posix_error(EROFS, "").code(), Errc::read_only);
  EXPECT_EQ(posix_error(EEXIST, "").code(), Errc::already_exists);
  EXPECT_EQ(posix_error(ENAMETOOLONG, "").code(), Errc::invalid_argument);
}

TEST(Name, dots_slashes_and_nul_are_no_names) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a\0b", 3)}) {
    EXPECT_EQ(errno_of(check_name(name)), EINVAL);
  }
  EXPECT_EQ(errno_of(check_name("...")), 0);
}

TEST(EntryLocks, one_file_has_one_holder_and_two_files_two) {
  EntryLocks locks;
  auto one = locks.acquire(1, test_context());
  EXPECT_TRUE(locks.acquire(2, test_context()));
  EXPECT_EQ(locks.acquire(1, RequestContext::within(std::chrono::nanoseconds(1))).error().code(),
            Errc::deadline_exceeded);
  one->release();
  EXPECT_TRUE(locks.acquire(1, test_context()));
}

TEST(EntryLocks, a_waiter_goes_on_when_the_holder_is_done) {
  EntryLocks locks;
  auto held = locks.acquire(1, test_context());
  std::jthread waiter([&] { EXPECT_TRUE(locks.acquire(1, test_context())); });
  held->release();
}

class Listings : public OneHost {
 protected:
  struct Seen {
    std::vector<std::string> names;
    std::vector<std::optional<NodeReply>> replies;
    uint64_t next = 0;
  };
  Seen read_some(HandleId handle, uint64_t offset, bool plus, size_t most) {
    Seen seen;
    const auto take = [&](const DirectoryEntry& entry, const std::optional<NodeReply>& reply, uint64_t next) {
      if (seen.names.size() == most) return false;
      seen.names.push_back(entry.name);
      seen.replies.push_back(reply);
      seen.next = next;
      return true;
    };
    EXPECT_TRUE(host.files().read_directory(handle, offset, plus, take, test_context()));
    return seen;
  }
};

TEST_F(Listings, go_on_where_the_last_reply_was_full) {
  for (const std::string name : {"a", "b", "c"}) write(name, "x");
  const auto handle = host.files().open_directory(kRootNode, {}, test_context());
  const Seen first = read_some(*handle, 0, false, 3);
  EXPECT_THAT(first.names, ElementsAre(".", "..", "a"));
  EXPECT_THAT(read_some(*handle, first.next, false, 10).names, ElementsAre("b", "c"));
  host.files().release_directory(*handle);
}

TEST_F(Listings, do_not_change_while_they_are_read_and_do_when_rewound) {
  write("a", "x");
  const auto handle = host.files().open_directory(kRootNode, {}, test_context());
  EXPECT_THAT(read_some(*handle, 0, false, 2).names, ElementsAre(".", ".."));
  write("b", "x");
  EXPECT_THAT(read_some(*handle, 2, false, 10).names, ElementsAre("a"));
  EXPECT_THAT(read_some(*handle, 0, false, 10).names, ElementsAre(".", "..", "a", "b"));
  host.files().release_directory(*handle);
}

TEST_F(Listings, with_attributes_count_a_lookup_for_each_entry_that_was_taken) {
  write("a", "xy");
  write("b", "x");
  ASSERT_TRUE(host.mkdir("d"));
  const uint64_t before = host.files().stats().nodes;
  const auto handle = host.files().open_directory(kRootNode, {}, test_context());
  const Seen seen = read_some(*handle, 0, true, 3);
  EXPECT_EQ(host.files().stats().nodes, before + 1);
  ASSERT_TRUE(seen.replies[2]);
  EXPECT_EQ(seen.replies[2]->attributes.size_bytes, 2U);
  const Seen rest = read_some(*handle, 3, true, 10);
  EXPECT_TRUE(rest.replies[0]);
  EXPECT_FALSE(rest.replies[1]);  // a directory
  host.files().forget(seen.replies[2]->node, 1);
  host.files().forget(rest.replies[0]->node, 1);
  host.files().release_directory(*handle);
  EXPECT_EQ(host.files().stats().nodes, before);
}

TEST_F(Listings, say_where_they_are) {
  ASSERT_TRUE(host.mkdir("d"));
  ASSERT_TRUE(host.mkdir("d/e"));
  const auto held = host.hold("d/e");
  const auto handle = host.files().open_directory(held->node, {}, test_context());
  std::vector<EntryId> inodes;
  const auto take = [&](const DirectoryEntry& entry, const std::optional<NodeReply>&, uint64_t) {
    inodes.push_back(entry.ino);
    return true;
  };
  ASSERT_TRUE(host.files().read_directory(*handle, 0, false, take, test_context()));
  EXPECT_THAT(inodes, ElementsAre(held->attributes.ino, stat("d").ino));
  host.files().release_directory(*handle);
  host.files().forget(held->node, 1);
}

class PageSinks : public ::testing::Test {
 protected:
  // Which calls came: node, and whether it was the one that ends them.
  void listen(TestHost& host) {
    host.files().set_page_sink([this](NodeId node, uint64_t, ByteView bytes, const SharedBuffer&) {
      std::lock_guard lock(mutex);
      (bytes.empty() ? ended : pushed).insert(node);
      return true;
    });
  }
  std::mutex mutex;
  std::set<NodeId> pushed, ended;
  TestStore store;
};

TEST_F(PageSinks, are_told_to_stop_before_a_node_is_open_for_writing) {
  TestHost host(store.objects());
  listen(host);
  ASSERT_TRUE(host.write("f", "x"));
  const auto held = host.hold("f");
  ended.clear();
  const auto reader = host.open("f", O_RDONLY);
  EXPECT_TRUE(ended.empty());
  const auto writer = host.open("f", O_WRONLY);
  EXPECT_TRUE(ended.contains(held->node));
  host.files().release(*reader);
  host.files().release(*writer);
  host.files().forget(held->node, 1);
}

TEST_F(PageSinks, get_nothing_while_somebody_reads_past_the_page_cache) {
  TestHost host(store.objects());
  const Buffer content = random_bytes(4 << 20, test_seed());
  ASSERT_TRUE(host.write("direct", as_text(content.view())));
  ASSERT_TRUE(host.write("cached", as_text(content.view())));
  listen(host);
  for (const auto& [name, flags] : {std::pair("cached", O_RDONLY), std::pair("direct", O_RDONLY | O_DIRECT)}) {
    pushed.clear();
    const auto file = host.open(name, flags);
    ASSERT_TRUE(file);
    EXPECT_EQ(host.read(*file)->size(), content.size());
    host.files().release(*file);
    EXPECT_EQ(pushed.empty(), (flags & O_DIRECT) != 0) << name;
  }
}

TEST_F(PageSinks, a_second_writer_waits_as_well_until_no_page_is_on_its_way) {
  TestHost host(store.objects());
  ASSERT_TRUE(host.write("f", "x"));
  Gate draining;
  host.files().set_page_sink([&draining](NodeId, uint64_t, ByteView bytes, const SharedBuffer&) {
    return !bytes.empty() || draining.pass(test_context()).has_value();
  });
  const auto write = [&host] {
    const auto writer = host.open("f", O_WRONLY);
    ASSERT_TRUE(writer);
    host.files().release(*writer);
  };
  const std::jthread first(write);
  ASSERT_TRUE(draining.wait_for_arrivals(1));
  const std::jthread second(write);
  EXPECT_TRUE(draining.wait_for_arrivals(2));
  draining.open();
}

}  // namespace
}  // namespace cairn
