// Renames between directories that stop half way, and the hosts that complete them.
#include "store/directories/move.h"
#include "tests/unit/store/directories/namespace_fixture.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::nanoseconds kNow{0};

class NamespaceMoveTest : public ::testing::Test {
 protected:
  NamespaceMoveTest() : from(make(a, *a.root, "from")), to(make(a, *a.root, "to")) {
    EXPECT_OK(from->commit(writes("x", "moved", 7), test_context()));
  }
  // The host that moves dies at its nth write of a record, counted from here: 1 is the target's, 2 the source's, 3 the
  // one that clears the mark.
  void crash_at(uint64_t write, FaultEffect effect) {
    a.host.network.add(
        {.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .nth = write, .effect = effect});
  }
  Result<void> move(RenameMode mode = RenameMode::replace) {
    auto moved = a.tree.rename({from, "x"}, {to, "x"}, mode, test_context());
    (void)a.tree.flush(test_context());
    return moved;
  }
  std::shared_ptr<Directory> seen_from(Mount& mount) { return mount.fresh(from->id()); }
  std::shared_ptr<Directory> seen_to(Mount& mount) { return mount.fresh(to->id()); }

  TestStore store;
  Mount a{store.objects(), "host-a"};
  std::shared_ptr<Directory> from;
  std::shared_ptr<Directory> to;
};

TEST_F(NamespaceMoveTest, a_move_stopped_at_any_step_is_whole_for_the_next_host) {
  for (const FaultEffect effect : {FaultEffect::crash_before, FaultEffect::crash_after}) {
    for (uint64_t write = 1; write <= 3; ++write) {
      SCOPED_TRACE(fmt::format("write {}, {}", write, effect == FaultEffect::crash_before ? "before" : "after"));
      TestStore fresh_store;
      Mount dying(fresh_store.objects(), "host-dying");
      const auto source = make(dying, *dying.root, "from");
      const auto target = make(dying, *dying.root, "to");
      EXPECT_OK(source->commit(writes("x", "moved", 7), test_context()));
      dying.host.network.add(
          {.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .nth = write, .effect = effect});
      const auto moved = dying.tree.rename({source, "x"}, {target, "x"}, RenameMode::replace, test_context());
      (void)dying.tree.flush(test_context());

      Mount next(fresh_store.objects(), "host-next");
      const auto seen_target = next.fresh(target->id());
      const auto seen_source = next.fresh(source->id());
      const bool arrived = seen_target->find("x") != nullptr;
      EXPECT_NE(arrived, seen_source->find("x") != nullptr);
      EXPECT_EQ(content_of((arrived ? seen_target : seen_source)->find("x")), "moved");
      EXPECT_TRUE(arrived || !moved);
      EXPECT_THAT(seen_target->unfinished_moves(), IsEmpty());
    }
  }
}

TEST_F(NamespaceMoveTest, an_exchange_stopped_half_way_is_completed_by_the_next_host) {
  EXPECT_OK(to->commit(writes("x", "other", 8), test_context()));
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move(RenameMode::exchange));

  Mount b(store.objects(), "host-b");
  EXPECT_EQ(content_of(seen_to(b)->find("x")), "moved");
  EXPECT_EQ(content_of(seen_from(b)->find("x")), "other");
}

TEST_F(NamespaceMoveTest, a_move_whose_source_cannot_be_written_has_happened_and_is_completed_later) {
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  EXPECT_EQ(from->find("x"), nullptr);
  EXPECT_NE(to->find("x"), nullptr);
  a.host.network.heal();
  EXPECT_OK(a.tree.flush(test_context()));
  Mount b(store.objects(), "host-b");
  EXPECT_THAT(names(*seen_from(b)), IsEmpty());
  EXPECT_FALSE(seen_to(b)->find("x")->move);
}

TEST_F(NamespaceMoveTest, a_host_that_has_the_directory_open_completes_what_it_learns_of) {
  Mount b(store.objects(), "host-b");
  const auto open_target = seen_to(b);
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  EXPECT_OK(open_target->refresh(kNow, test_context()));
  EXPECT_NE(open_target->find("x"), nullptr);
  EXPECT_EQ(b.tree.pending_directories(), 1U);
  EXPECT_OK(b.tree.flush(test_context()));
  EXPECT_THAT(names(*seen_from(b)), IsEmpty());
  EXPECT_EQ(b.tree.pending_directories(), 0U);
}

TEST_F(NamespaceMoveTest, two_hosts_that_complete_one_move_do_it_once) {
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  std::vector<std::unique_ptr<Mount>> mounts;
  for (int i = 0; i < 4; ++i) mounts.push_back(std::make_unique<Mount>(store.objects(), fmt::format("host-{}", i)));
  {
    std::vector<std::jthread> threads;
    for (const auto& mount : mounts)
      threads.emplace_back([&] { EXPECT_TRUE(mount->tree.open(to->id(), test_context())); });
  }
  for (const auto& mount : mounts) {
    EXPECT_THAT(names(*seen_from(*mount)), IsEmpty());
    EXPECT_EQ(content_of(seen_to(*mount)->find("x")), "moved");
    EXPECT_FALSE(seen_to(*mount)->find("x")->move);
  }
}

TEST_F(NamespaceMoveTest, a_version_published_under_the_old_name_meanwhile_goes_along) {
  crash_at(2, FaultEffect::crash_before);
  Host writer(store, "writer");
  const auto source = writer.load(from->id());
  EXPECT_OK(move());
  EXPECT_OK(source->commit(publishes("x", "newer", 9), test_context()));

  Mount b(store.objects(), "host-b");
  const EntryPtr moved = seen_to(b)->find("x");
  EXPECT_EQ(moved->versions.size(), 2U);
  EXPECT_EQ(content_of(moved), "newer");
  EXPECT_THAT(names(*seen_from(b)), IsEmpty());
}

TEST_F(NamespaceMoveTest, a_version_published_between_the_two_records_of_a_live_move_goes_along) {
  Host writer(store, "writer");
  const auto source = writer.load(from->id());
  const auto gate = std::make_shared<Gate>();
  a.host.network.add({.operation = ObjectOperation::put_if_absent,
                      .key_prefix = "dirs/",
                      .nth = 2,
                      .effect = FaultEffect::block,
                      .gate = gate});
  std::jthread mover([&] { EXPECT_OK(move()); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  EXPECT_OK(source->commit(publishes("x", "newer", 9), test_context()));
  gate->open();
  mover.join();
  Mount b(store.objects(), "host-b");
  EXPECT_EQ(content_of(seen_to(b)->find("x")), "newer");
  EXPECT_THAT(names(*seen_from(b)), IsEmpty());
}

TEST_F(NamespaceMoveTest, a_new_file_under_the_old_name_stays) {
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  Host other(store, "other");
  const auto source = other.load(from->id());
  EXPECT_OK(source->commit(unlinks("x"), test_context()));
  EXPECT_OK(source->commit(writes("x", "unrelated", 99), test_context()));
  Mount b(store.objects(), "host-b");
  EXPECT_EQ(content_of(seen_to(b)->find("x")), "moved");
  EXPECT_EQ(content_of(seen_from(b)->find("x")), "unrelated");
}

TEST_F(NamespaceMoveTest, a_file_moved_there_and_back_is_not_lost_to_a_late_helper) {
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  // This host saw the mark and is slow; meanwhile another completes the move and moves the file back.
  Mount slow(store.objects(), "host-slow");
  slow.host.network.add({.operation = ObjectOperation::put_if_absent});  // its own completion fails at first
  const auto stale = seen_to(slow);
  Mount b(store.objects(), "host-b");
  EXPECT_OK(b.tree.rename({seen_to(b), "x"}, {seen_from(b), "x"}, RenameMode::replace, test_context()));
  EXPECT_OK(b.tree.flush(test_context()));
  EXPECT_OK(slow.tree.flush(test_context()));
  EXPECT_EQ(content_of(seen_from(slow)->find("x")), "moved");
  EXPECT_EQ(seen_to(slow)->find("x"), nullptr);
}

TEST_F(NamespaceMoveTest, a_file_unlinked_before_its_move_was_completed_does_not_come_back) {
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  Host other(store, "other");
  EXPECT_OK(other.load(to->id())->commit(unlinks("x"), test_context()));
  Mount b(store.objects(), "host-b");
  EXPECT_THAT(names(*seen_to(b)), IsEmpty());
  EXPECT_THAT(names(*seen_from(b)), IsEmpty());
}

TEST_F(NamespaceMoveTest, what_is_pending_in_a_directory_that_another_host_has_removed_is_moot) {
  EXPECT_OK(a.tree.rename({from, "x"}, {to, "x"}, RenameMode::replace, test_context()));  // the mark is still there
  EXPECT_OK(to->commit_soon(creates("soon")));
  Mount b(store.objects(), "host-b");
  EXPECT_OK(seen_to(b)->commit(unlinks("x"), test_context()));
  EXPECT_OK(b.tree.remove_directory(*b.root, "to", test_context()));
  EXPECT_OK(a.tree.stop(test_context()));
  EXPECT_EQ(a.tree.pending_directories(), 0U);
  EXPECT_EQ(a.host.wired.counters().dropped_changes, 0U);
}

TEST_F(NamespaceMoveTest, a_marked_name_is_settled_before_something_replaces_it) {
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  Mount b(store.objects(), "host-b");
  const auto target = seen_to(b);
  EXPECT_OK(target->commit(writes("y", "replacement", 50), test_context()));
  EXPECT_OK(b.tree.rename({target, "y"}, {target, "x"}, RenameMode::replace, test_context()));
  EXPECT_EQ(content_of(target->find("x")), "replacement");
  EXPECT_THAT(names(*seen_from(b)), IsEmpty());
}

TEST_F(NamespaceMoveTest, a_read_only_host_shows_both_names_and_completes_nothing) {
  crash_at(2, FaultEffect::crash_before);
  EXPECT_OK(move());
  Host reader(store, "reader");
  reader.environment().options.read_only = true;
  Namespace tree(reader.environment());
  EXPECT_TRUE(tree.open(to->id(), test_context()));
  EXPECT_EQ(reader.puts(), 0U);
}

TEST(MoveTest, versions_are_merged_in_order_of_publication) {
  Entry moved = file_entry(1).with_version(version_of("a", 10), 64).with_version(version_of("d", 40), 64);
  const Entry left = file_entry(1)
                         .with_version(version_of("a", 10), 64)
                         .with_version(version_of("b", 20), 64)
                         .with_version(version_of("e", 50), 64);
  const Entry merged = with_newer(moved, left, 64);
  ASSERT_EQ(merged.versions.size(), 4U);
  std::vector<Nanos> published;
  for (const auto& version : merged.versions) published.push_back(version->published);
  EXPECT_THAT(published, ElementsAre(10, 20, 40, 50));
  EXPECT_FALSE(has_newer(merged, left));
  EXPECT_EQ(with_newer(moved, left, 2).first_version, 3U);
}

}  // namespace
}  // namespace cairn
