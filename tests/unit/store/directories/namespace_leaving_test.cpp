// Directories that move to other directories: announced, called off, completed, and by several hosts at once.
#include "store/directories/leaving.h"
#include "tests/unit/store/directories/namespace_fixture.h"

namespace cairn {
namespace {

using ::testing::IsEmpty;

// The records of one such move, as its host puts them.
constexpr uint64_t kNotice = 1;
constexpr uint64_t kArrival = 2;
constexpr uint64_t kDeparture = 3;
constexpr uint64_t kAnyAttempt = 1;  // smaller than any that is drawn, as good as certainly

class NamespaceLeavingTest : public ::testing::Test {
 protected:
  NamespaceLeavingTest() : from(make(a, *a.root, "from")), to(make(a, *a.root, "to")), moved(make(a, *from, "d")) {
    EXPECT_OK(moved->commit(writes("inside", "content", 7), test_context()));
  }
  void spoil(uint64_t write, FaultEffect effect, Errc error = Errc::unavailable) {
    a.host.network.add({.operation = ObjectOperation::put_if_absent,
                        .key_prefix = "dirs/",
                        .nth = write,
                        .effect = effect,
                        .error = error});
  }
  std::shared_ptr<Gate> block_at(uint64_t write) {
    const auto gate = std::make_shared<Gate>();
    a.host.network.add({.operation = ObjectOperation::put_if_absent,
                        .key_prefix = "dirs/",
                        .nth = write,
                        .effect = FaultEffect::block,
                        .gate = gate});
    return gate;
  }
  Result<void> move(RenameMode mode = RenameMode::replace) {
    return a.tree.rename({from, "d"}, {to, "d"}, mode, test_context());
  }
  Result<void> meet(Mount& host) {
    return host.tree.confirm_link(host.fresh(from->id()), "d", moved->id(), kAnyAttempt, test_context());
  }
  static EntryPtr at(Mount& host, const std::shared_ptr<Directory>& directory, const std::string& name = "d") {
    return host.fresh(directory->id())->find(name);
  }
  void expect_moved(Mount& host) {
    EXPECT_THAT(names(*host.fresh(from->id())), IsEmpty());
    const EntryPtr arrived = at(host, to);
    ASSERT_TRUE(arrived);
    EXPECT_EQ(arrived->id, moved->id());
    EXPECT_FALSE(arrived->leaving);
  }
  void expect_stayed(Mount& host) {
    EXPECT_THAT(names(*host.fresh(to->id())), IsEmpty());
    const EntryPtr stayed = at(host, from);
    ASSERT_TRUE(stayed);
    EXPECT_EQ(stayed->id, moved->id());
  }

  TestStore store;
  Mount a{store.objects(), "host-a"};
  std::shared_ptr<Directory> from;
  std::shared_ptr<Directory> to;
  std::shared_ptr<Directory> moved;
};

TEST_F(NamespaceLeavingTest, a_move_between_directories_costs_one_record_more_than_a_files) {
  const uint64_t before = a.host.puts();
  EXPECT_OK(move());
  EXPECT_EQ(a.host.puts() - before, kDeparture);
  Mount b(store.objects(), "host-b");
  expect_moved(b);
}

TEST_F(NamespaceLeavingTest, a_walk_looks_while_the_directory_is_announced_and_before_it_has_arrived) {
  Mount b(store.objects(), "host-b");
  const auto walk = [&](uint64_t attempt, const RequestContext&) -> Result<void> {
    EXPECT_EQ(at(b, from)->leaving->attempt, attempt);
    EXPECT_EQ(at(b, from)->leaving->directory, to->id());
    EXPECT_EQ(at(b, to), nullptr);
    return fail_posix(EINVAL, "no");
  };
  EXPECT_POSIX(a.tree.rename({from, "d"}, {to, "d"}, RenameMode::replace, test_context(), walk), EINVAL);
  EXPECT_OK(a.tree.flush(test_context()));
  expect_stayed(b);
  EXPECT_FALSE(at(b, from)->leaving);
}

TEST_F(NamespaceLeavingTest, who_finds_himself_on_his_way_up_would_move_into_himself) {
  const auto walk = [&](uint64_t attempt, const RequestContext& context) {
    return a.tree.confirm_link(from, "d", moved->id(), attempt, context);
  };
  EXPECT_POSIX(a.tree.rename({from, "d"}, {to, "d"}, RenameMode::replace, test_context(), walk), EINVAL);
}

TEST_F(NamespaceLeavingTest, a_move_that_was_called_off_before_it_arrived_starts_again) {
  const auto gate = block_at(kArrival);
  std::jthread mover([&] { EXPECT_OK(move()); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  Mount b(store.objects(), "host-b");
  EXPECT_OK(meet(b));
  EXPECT_EQ(at(b, from)->leaving->attempt, 0U);
  gate->open();
  mover.join();
  EXPECT_OK(a.tree.flush(test_context()));
  expect_moved(b);
}

TEST_F(NamespaceLeavingTest, an_exchange_that_was_called_off_puts_everything_back) {
  const auto other = make(a, *to, "d");
  const auto gate = block_at(kArrival + 1);  // both are announced
  RequestContext context = test_context();
  std::stop_source stop;
  context.stop = stop.get_token();
  std::jthread mover([&] { EXPECT_FALSE(a.tree.rename({from, "d"}, {to, "d"}, RenameMode::exchange, context)); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  Mount b(store.objects(), "host-b");
  EXPECT_OK(meet(b));
  a.host.network.add({.operation = ObjectOperation::put_if_absent,  // whatever comes after the arrival
                      .key_prefix = "dirs/",
                      .times = kEveryTime,
                      .error = Errc::permission_denied});
  gate->open();
  mover.join();
  a.host.network.heal();
  EXPECT_OK(a.tree.flush(test_context()));
  EXPECT_EQ(at(b, from)->id, moved->id());
  EXPECT_EQ(at(b, to)->id, other->id());
  EXPECT_FALSE(at(b, to)->move);
}

TEST_F(NamespaceLeavingTest, a_move_that_has_arrived_is_completed_by_whoever_meets_it) {
  spoil(kDeparture, FaultEffect::crash_before);
  EXPECT_FALSE(move());
  Mount b(store.objects(), "host-b");
  EXPECT_POSIX(meet(b), ESTALE);
  expect_moved(b);
}

TEST_F(NamespaceLeavingTest, a_move_that_stopped_before_it_arrived_stops_nobody) {
  spoil(kArrival, FaultEffect::crash_before);
  EXPECT_FALSE(move());
  Mount b(store.objects(), "host-b");
  EXPECT_TRUE(at(b, from)->leaving);
  const Result<void> later = b.tree.confirm_link(b.fresh(from->id()), "d", moved->id(), UINT64_MAX, test_context());
  EXPECT_FAILS(later, Errc::conflict);  // it might still be on its way
  EXPECT_OK(meet(b));
  expect_stayed(b);
  EXPECT_OK(b.tree.rename({b.fresh(from->id()), "d"}, {b.fresh(to->id()), "d"}, RenameMode::replace, test_context()));
  expect_moved(b);
}

// With the smallest number, so that everybody yields to it.
TEST_F(NamespaceLeavingTest, a_forged_notice_holds_nobody_up_for_long) {
  EXPECT_OK(from->commit(announce("d", moved->id(), kAnyAttempt, to->id()), test_context()));
  Mount b(store.objects(), "host-b");
  const auto meet_as_another = [&] {
    return b.tree.confirm_link(b.fresh(from->id()), "d", moved->id(), kAnyAttempt + 1000, test_context());
  };
  EXPECT_FAILS(meet_as_another(), Errc::conflict);
  b.host.wired.clock().advance(std::chrono::seconds(14));
  EXPECT_FAILS(meet_as_another(), Errc::conflict);
  b.host.wired.clock().advance(std::chrono::seconds(1));
  EXPECT_OK(meet_as_another());
  EXPECT_EQ(at(b, from)->leaving->attempt, 0U);
}

// What was met long ago is no reason to be rude to another attempt.
TEST_F(NamespaceLeavingTest, each_attempt_has_its_time) {
  Mount b(store.objects(), "host-b");
  for (const uint64_t attempt : {uint64_t{1}, uint64_t{2}, uint64_t{3}}) {
    EXPECT_OK(from->commit(announce("d", moved->id(), attempt, to->id()), test_context()));
    EXPECT_FAILS(b.tree.confirm_link(b.fresh(from->id()), "d", moved->id(), 1000, test_context()), Errc::conflict);
    b.host.wired.clock().advance(std::chrono::seconds(10));
  }
}

TEST_F(NamespaceLeavingTest, a_move_that_failed_is_called_off) {
  for (const uint64_t write : {kNotice, kArrival, kDeparture}) {
    SCOPED_TRACE(write);
    spoil(write, FaultEffect::fail_before, Errc::permission_denied);
    EXPECT_FAILS(move(), write == kDeparture ? Errc::unavailable : Errc::permission_denied);
    EXPECT_OK(a.tree.flush(test_context()));
    Mount b(store.objects(), "host-b");
    EXPECT_OK(b.tree.flush(test_context()));
    EXPECT_TRUE(at(b, from));
    EXPECT_OK(b.tree.flush(test_context()));
    expect_stayed(b);
    a.host.network.heal();
  }
}

TEST_F(NamespaceLeavingTest, a_directory_that_two_hosts_move_to_two_directories_ends_in_one) {
  const auto elsewhere = make(a, *a.root, "elsewhere");
  const auto gate = block_at(kArrival);
  std::jthread mover([&] { (void)move(); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  Mount b(store.objects(), "host-b");
  EXPECT_OK(
      b.tree.rename({b.fresh(from->id()), "d"}, {b.fresh(elsewhere->id()), "d"}, RenameMode::replace, test_context()));
  gate->open();
  mover.join();
  EXPECT_OK(a.tree.flush(test_context()));
  EXPECT_TRUE(at(b, elsewhere));
  EXPECT_EQ(at(b, from), nullptr);
  EXPECT_EQ(at(b, to), nullptr);
}

TEST_F(NamespaceLeavingTest, a_file_is_not_announced) {
  EXPECT_OK(from->commit(writes("file", "content", 8), test_context()));
  const uint64_t before = a.host.puts();
  EXPECT_OK(a.tree.rename({from, "file"}, {to, "file"}, RenameMode::replace, test_context()));
  EXPECT_EQ(a.host.puts() - before, 2U);
}

}  // namespace
}  // namespace cairn
