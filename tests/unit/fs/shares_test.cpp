// Users of one mount, and what they leave each other.
#include "fs/shares.h"

#include <fcntl.h>

#include <functional>
#include <vector>

#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

// How many more `uid` gets; they stay his.
size_t take_all(Shares& shares, uint32_t uid, std::vector<Shares::Lease>& leases) {
  size_t taken = 0;
  for (auto lease = shares.take(uid); lease; lease = shares.take(uid)) {
    leases.push_back(std::move(*lease));
    ++taken;
  }
  return taken;
}

TEST(Shares, one_user_gets_half_and_leaves_half) {
  Shares shares("things", 100, 0);
  std::vector<Shares::Lease> leases;
  EXPECT_EQ(take_all(shares, 1000, leases), 50U);
  EXPECT_EQ(take_all(shares, 1001, leases), 25U);
  EXPECT_EQ(take_all(shares, 1002, leases), 12U);
  EXPECT_EQ(take_all(shares, 0, leases), 13U);
  EXPECT_EQ(shares.take(0).error().posix(), ENFILE);
}

TEST(Shares, what_is_given_back_can_be_taken) {
  Shares shares("things", 10, 0);
  std::vector<Shares::Lease> leases;
  EXPECT_EQ(take_all(shares, 1000, leases), 5U);
  leases.pop_back();
  EXPECT_EQ(take_all(shares, 1000, leases), 1U);
  leases.clear();
  EXPECT_EQ(take_all(shares, 1001, leases), 5U);
}

TEST(Shares, the_daemons_own_user_is_not_bounded) {
  Shares shares("things", 10, 1000);
  std::vector<Shares::Lease> leases;
  EXPECT_EQ(take_all(shares, 1000, leases), 10U);
}

class OpenSharesTest : public ::testing::Test {
 protected:
  OpenSharesTest() { EXPECT_TRUE(host.write("f", "x")); }
  Result<OpenReply> open(uint32_t uid, int flags) {
    const auto found = host.files().lookup(kRootNode, "f", test_context());
    EXPECT_TRUE(found);
    return host.files().open_file(found->node, flags, {.uid = uid}, test_context());
  }
  Result<std::pair<NodeReply, OpenReply>> create(uint32_t uid, const std::string& name) {
    return host.files().create(kRootNode, name, 0644, O_RDWR, {.uid = uid}, test_context());
  }
  // How often, at most 100 times; nothing is closed.
  size_t count(const std::function<bool()>& succeeds) {
    size_t times = 0;
    while (times < 100 && succeeds()) ++times;
    return times;
  }

  TestStore store;
  TestHost host{store.objects(), {.most_open = 40, .most_writers = 8}};
};

TEST_F(OpenSharesTest, one_user_cannot_open_so_much_that_others_can_open_nothing) {
  EXPECT_EQ(count([&] { return open(1000, O_RDONLY).has_value(); }), 20U);
  EXPECT_EQ(open(1000, O_RDONLY).error().posix(), ENFILE);
  EXPECT_EQ(host.files().open_directory(kRootNode, {.uid = 1000}, test_context()).error().posix(), ENFILE);
  EXPECT_TRUE(open(1001, O_RDONLY));
  EXPECT_TRUE(host.files().open_directory(kRootNode, {.uid = 1001}, test_context()));
  EXPECT_TRUE(open(0, O_RDONLY));
}

TEST_F(OpenSharesTest, one_user_leaves_staging_files_to_others) {
  EXPECT_EQ(count([&] { return open(1000, O_RDWR).has_value(); }), 4U);
  EXPECT_TRUE(open(1000, O_RDONLY));
  EXPECT_TRUE(open(1001, O_RDWR));
}

TEST_F(OpenSharesTest, a_file_that_cannot_be_opened_is_not_made) {
  EXPECT_EQ(count([&] { return open(1000, O_RDWR).has_value(); }), 4U);
  EXPECT_EQ(create(1000, "new").error().posix(), ENFILE);
  EXPECT_FALSE(host.stat("new"));
  EXPECT_TRUE(create(1001, "new"));
}

TEST_F(OpenSharesTest, a_close_gives_back) {
  std::vector<HandleId> opened;
  for (auto one = open(1000, O_RDWR); one; one = open(1000, O_RDWR)) opened.push_back(one->handle);
  EXPECT_TRUE(host.close(opened.back()));
  EXPECT_TRUE(open(1000, O_RDWR));
}

TEST_F(OpenSharesTest, listings_count_until_they_are_closed) {
  std::vector<HandleId> opened;
  while (opened.size() < 100) {
    const auto one = host.files().open_directory(kRootNode, {.uid = 1000}, test_context());
    if (!one) break;
    opened.push_back(*one);
  }
  EXPECT_EQ(opened.size(), 20U);
  host.files().release_directory(opened.back());
  EXPECT_TRUE(host.files().open_directory(kRootNode, {.uid = 1000}, test_context()));
}

// Saves of two users while the store takes nothing.
class StagingShares : public ::testing::Test {
 protected:
  StagingShares() { objects.add({.operation = ObjectOperation::put_if_absent, .times = kEveryTime}); }
  Result<HandleId> open(uint32_t uid, const std::string& name) {
    auto made = host.files().create(kRootNode, name, 0666, O_RDWR, {.uid = uid}, test_context());
    if (!made) return fail(std::move(made).error());
    return made->second.handle;
  }
  // Writes and closes, which fails, so that what was written is kept. Failures: those of the write.
  Result<void> keep(uint32_t uid, const std::string& name, size_t size) {
    auto handle = open(uid, name);
    if (!handle) return fail(std::move(handle).error());
    auto written = host.pwrite(*handle, 0, std::string(size, 'x'));
    EXPECT_NE(host.close(*handle).has_value(), written.has_value());
    if (!written) return fail(std::move(written).error());
    return {};
  }

  TestStore store;
  FaultyObjectStore objects{store.objects()};
  TestHost host{objects, {.staging_bytes = 400U << 10, .operation_timeout = std::chrono::milliseconds(20)}};
};

TEST_F(StagingShares, what_one_user_keeps_leaves_room_to_others) {
  EXPECT_TRUE(keep(1000, "a", 100U << 10));
  EXPECT_TRUE(keep(1000, "b", 90U << 10));
  EXPECT_EQ(keep(1000, "c", 20U << 10).error().posix(), EDQUOT);
  EXPECT_TRUE(keep(1001, "d", 90U << 10));
  EXPECT_TRUE(keep(0, "e", 90U << 10));
}

TEST_F(StagingShares, what_was_kept_counts_to_its_user_after_a_restart) {
  EXPECT_TRUE(keep(1000, "a", 190U << 10));
  host.kill_and_restart();
  EXPECT_EQ(keep(1000, "b", 50U << 10).error().posix(), EDQUOT);
  EXPECT_TRUE(keep(1001, "c", 50U << 10));
}

TEST_F(StagingShares, what_goes_on_after_a_failed_close_takes_the_share_of_who_goes_on) {
  EXPECT_TRUE(keep(1000, "a", 120U << 10));
  const auto found = host.files().lookup(kRootNode, "a", test_context());
  const auto his = host.files().open_file(found->node, O_RDWR, {.uid = 1000}, test_context());
  EXPECT_EQ(host.pwrite(his->handle, 0, "y").error().posix(), EDQUOT) << "a copy of what he has kept is not free";
  EXPECT_FALSE(host.close(his->handle));
  const auto others = host.files().open_file(found->node, O_RDWR, {.uid = 1001}, test_context());
  EXPECT_TRUE(host.pwrite(others->handle, 0, "y"));
}

}  // namespace
}  // namespace cairn
