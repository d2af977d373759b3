// What one directory shows, and what two hosts see of each other.
#include "store/directories/directory.h"

#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::chrono::nanoseconds kNow{0};

class DirectoryTest : public ::testing::Test {
 protected:
  TestStore store;
  Host a{store, "host-a"};
  Host b{store, "host-b"};
};

TEST_F(DirectoryTest, the_root_of_a_new_store_is_empty) {
  const auto root = a.load();
  EXPECT_EQ(root->id(), kRootId);
  EXPECT_THAT(names(*root), IsEmpty());
  EXPECT_FALSE(root->removed());
}

TEST_F(DirectoryTest, loading_a_directory_without_records_is_not_found) {
  EXPECT_FAILS(Directory::load(a.environment(), 4711, test_context()), Errc::not_found);
}

TEST_F(DirectoryTest, a_commit_is_in_the_store_when_it_returns) {
  EXPECT_OK(a.load()->commit(creates("model"), test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("model"));
}

TEST_F(DirectoryTest, commit_soon_shows_at_once_here_and_in_the_store_after_flush) {
  const auto root = a.load();
  EXPECT_OK(root->commit_soon(creates("soon")));
  EXPECT_THAT(names(*root), ElementsAre("soon"));
  EXPECT_EQ(root->find_committed("soon"), nullptr);
  EXPECT_THAT(names(*b.load()), IsEmpty());
  EXPECT_OK(root->flush(test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("soon"));
  EXPECT_EQ(root->due(), std::nullopt);
}

TEST_F(DirectoryTest, what_is_in_order_shows_here_and_is_passed_until_it_is_allowed) {
  const auto root = a.load();
  EXPECT_OK(root->commit_in_order(creates("first"), 1));
  EXPECT_OK(root->commit_in_order(creates("second", 1001), 2));
  EXPECT_THAT(names(*root), ElementsAre("first", "second"));
  EXPECT_EQ(root->due(), std::nullopt);
  EXPECT_OK(root->commit(creates("passes", 1002), test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("passes"));
  root->allow(1);
  EXPECT_OK(root->flush(test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("first", "passes"));
  root->allow(2);
  EXPECT_OK(root->flush(test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("first", "passes", "second"));
}

TEST_F(DirectoryTest, many_commits_of_one_call_share_a_record_and_have_an_outcome_each) {
  const auto root = a.load();
  const uint64_t before = a.puts();
  const auto outcomes = root->commit_all({creates("x"), creates("x"), creates("y", 1001)}, test_context());
  ASSERT_EQ(outcomes.size(), 3U);
  EXPECT_OK(outcomes[0]);
  EXPECT_FALSE(outcomes[1]);
  EXPECT_OK(outcomes[2]);
  EXPECT_EQ(a.puts() - before, 1U);
  EXPECT_THAT(names(*b.load()), ElementsAre("x", "y"));
}

TEST_F(DirectoryTest, a_pending_change_is_due_after_the_commit_delay) {
  const auto root = a.load();
  EXPECT_EQ(root->due(), std::nullopt);
  EXPECT_OK(root->commit_soon(creates("soon")));
  EXPECT_EQ(root->due(), a.wired.clock().steady_now() + a.environment().options.commit_delay);
}

TEST_F(DirectoryTest, what_is_pending_is_committed_in_order_before_a_later_commit) {
  const auto root = a.load();
  EXPECT_OK(root->commit_soon(creates("first")));
  EXPECT_OK(root->commit_soon(unlinks("first")));
  EXPECT_OK(root->commit_soon(creates("second")));
  EXPECT_OK(root->commit(creates("third"), test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("second", "third"));
  EXPECT_EQ(a.puts(), 1U);
}

TEST_F(DirectoryTest, the_work_hook_hears_of_pending_changes_once) {
  const auto root = a.load();
  std::vector<SteadyTime> heard;
  root->set_work_hook([&](const std::shared_ptr<Directory>& who, SteadyTime due) {
    EXPECT_EQ(who, root);
    heard.push_back(due);
  });
  EXPECT_OK(root->commit_soon(creates("one")));
  EXPECT_OK(root->commit_soon(creates("two")));
  EXPECT_EQ(heard.size(), 1U);
  EXPECT_OK(root->flush(test_context()));
  EXPECT_OK(root->commit_soon(creates("three")));
  EXPECT_EQ(heard.size(), 2U);
  EXPECT_OK(root->flush(test_context()));
}

TEST_F(DirectoryTest, refresh_of_age_zero_asks_every_time) {
  const auto root = a.load();
  const uint64_t before = a.gets();
  EXPECT_OK(root->refresh(kNow, test_context()));
  EXPECT_OK(root->refresh(kNow, test_context()));
  EXPECT_EQ(a.gets() - before, 2U);
}

TEST_F(DirectoryTest, refresh_within_its_age_does_not_reach_the_store) {
  const auto root = a.load();
  const uint64_t before = a.network.count();
  EXPECT_OK(root->refresh(std::chrono::seconds(1), test_context()));
  EXPECT_EQ(a.network.count(), before);
  a.wired.clock().advance(std::chrono::milliseconds(1001));
  EXPECT_EQ(root->age(), std::chrono::milliseconds(1001));
  EXPECT_OK(root->refresh(std::chrono::seconds(1), test_context()));
  EXPECT_EQ(a.network.count(), before + 1);
  EXPECT_EQ(root->age(), std::chrono::nanoseconds(0));
}

TEST_F(DirectoryTest, a_commit_is_as_good_as_a_refresh) {
  const auto root = a.load();
  a.wired.clock().advance(std::chrono::seconds(5));
  EXPECT_OK(root->commit(creates("model"), test_context()));
  EXPECT_EQ(root->age(), std::chrono::nanoseconds(0));
}

TEST_F(DirectoryTest, refresh_shows_what_another_host_committed) {
  const auto here = a.load();
  const auto there = b.load();
  EXPECT_OK(there->commit(creates("theirs"), test_context()));
  EXPECT_THAT(names(*here), IsEmpty());
  EXPECT_OK(here->refresh(kNow, test_context()));
  EXPECT_THAT(names(*here), ElementsAre("theirs"));
}

TEST_F(DirectoryTest, pending_changes_stay_on_top_of_another_hosts_record) {
  const auto here = a.load();
  EXPECT_OK(here->commit_soon(creates("mine")));
  EXPECT_OK(b.load()->commit(creates("theirs"), test_context()));
  EXPECT_OK(here->refresh(kNow, test_context()));
  EXPECT_THAT(names(*here), ElementsAre("mine", "theirs"));
  EXPECT_OK(here->flush(test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("mine", "theirs"));
}

TEST_F(DirectoryTest, a_pending_change_that_another_hosts_makes_impossible_is_dropped_and_counted) {
  const auto here = a.load();
  EXPECT_OK(here->commit_soon(creates("name", 1)));
  EXPECT_OK(b.load()->commit(creates("name", 2), test_context()));
  EXPECT_OK(here->flush(test_context()));
  EXPECT_EQ(here->find("name")->id, 2U);
  EXPECT_EQ(a.wired.counters().dropped_changes, 1U);
  EXPECT_EQ(here->due(), std::nullopt);
}

TEST_F(DirectoryTest, of_two_hosts_that_create_one_name_exactly_one_succeeds) {
  const auto here = a.load();
  const auto there = b.load();
  EXPECT_OK(here->commit(creates("lock", 1), test_context()));
  EXPECT_POSIX(there->commit(creates("lock", 2), test_context()), EEXIST);
  EXPECT_EQ(there->find("lock")->id, 1U);
  EXPECT_EQ(b.wired.counters().commit_races, 1U);
}

TEST_F(DirectoryTest, a_failing_mutation_costs_no_record) {
  const auto root = a.load();
  EXPECT_OK(root->commit(creates("name"), test_context()));
  EXPECT_POSIX(root->commit(creates("name"), test_context()), EEXIST);
  EXPECT_POSIX(root->commit_soon(creates("name")), EEXIST);
  EXPECT_EQ(a.puts(), 1U);
}

TEST_F(DirectoryTest, a_mutation_that_changes_nothing_costs_no_record) {
  const auto root = a.load();
  EXPECT_OK(root->commit([](DirectoryEdit&) -> Result<void> { return {}; }, test_context()));
  EXPECT_EQ(a.puts(), 0U);
}

TEST_F(DirectoryTest, many_missed_records_are_found_by_one_listing) {
  const auto here = a.load();
  const auto there = b.load();
  for (int i = 0; i < 40; ++i) EXPECT_OK(there->commit(creates("n" + std::to_string(100 + i)), test_context()));
  const uint64_t before = a.lists();
  EXPECT_OK(here->refresh(kNow, test_context()));
  EXPECT_EQ(a.lists() - before, 1U);
  EXPECT_EQ(names(*here).size(), 40U);
}

TEST_F(DirectoryTest, a_created_directory_has_its_attributes_and_can_be_loaded_anywhere) {
  Attributes attributes;
  attributes.mode = 0750;
  attributes.uid = 7;
  attributes.xattrs["user.k"] = "v";
  const auto made = Directory::create(a.environment(), attributes, test_context());
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(b.load((*made)->id())->attributes(), attributes);
  EXPECT_OK((*made)->commit(creates("inside"), test_context()));
}

TEST_F(DirectoryTest, a_directory_whose_first_put_succeeded_without_saying_so_is_not_made_twice) {
  a.network.add(
      {.operation = ObjectOperation::put_if_absent, .effect = FaultEffect::fail_after, .error = Errc::already_exists});
  const auto made = Directory::create(a.environment(), Attributes(), test_context());
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(a.puts(), 1U);
}

TEST_F(DirectoryTest, a_removed_directory_takes_no_changes_and_asks_no_more) {
  const auto made = *Directory::create(a.environment(), Attributes(), test_context());
  const auto elsewhere = b.load(made->id());
  const auto seals = [](DirectoryEdit& edit) -> Result<void> {
    edit.set_removed(true);
    return {};
  };
  EXPECT_OK(made->commit(seals, test_context()));
  EXPECT_TRUE(made->removed());
  EXPECT_FAILS(made->commit(creates("late"), test_context()), Errc::not_found);
  EXPECT_FAILS(made->commit_soon(creates("late")), Errc::not_found);
  EXPECT_FAILS(elsewhere->commit(creates("late"), test_context()), Errc::not_found);
  EXPECT_TRUE(elsewhere->removed());
  const uint64_t before = a.network.count();
  EXPECT_OK(made->refresh(kNow, test_context()));
  EXPECT_EQ(a.network.count(), before);
}

TEST_F(DirectoryTest, a_read_only_mount_takes_no_changes) {
  const auto root = a.load();
  a.environment().options.read_only = true;
  EXPECT_FAILS(root->commit(creates("x"), test_context()), Errc::read_only);
  EXPECT_FAILS(root->commit_soon(creates("x")), Errc::read_only);
  EXPECT_OK(root->flush(test_context()));
  EXPECT_FAILS(Directory::create(a.environment(), Attributes(), test_context()), Errc::read_only);
  EXPECT_EQ(a.puts(), 0U);
}

TEST_F(DirectoryTest, a_damaged_record_is_corrupt_and_leaves_the_view_as_it_was) {
  const auto here = a.load();
  EXPECT_OK(here->commit(creates("before"), test_context()));
  EXPECT_OK(b.load()->commit(creates("after"), test_context()));
  a.network.add({.operation = ObjectOperation::get, .effect = FaultEffect::flip_bit});
  EXPECT_FAILS(here->refresh(kNow, test_context()), Errc::corrupt);
  EXPECT_THAT(names(*here), ElementsAre("before"));
  EXPECT_EQ(a.wired.counters().corrupt_objects, 1U);
  EXPECT_OK(here->refresh(kNow, test_context()));
  EXPECT_THAT(names(*here), ElementsAre("after", "before"));
}

TEST_F(DirectoryTest, all_who_list_between_two_changes_share_one_list) {
  const auto here = a.load();
  EXPECT_OK(here->commit_soon(creates("one")));
  const auto first = here->list();
  EXPECT_EQ(here->list(), first);
  EXPECT_OK(here->commit_soon(creates("two")));
  EXPECT_THAT(names(*here), ElementsAre("one", "two"));
  EXPECT_EQ(first->size(), 1U) << "who listed before goes on with what he listed";
  EXPECT_OK(here->flush(test_context()));
  EXPECT_THAT(names(*here), ElementsAre("one", "two"));
}

}  // namespace
}  // namespace cairn
