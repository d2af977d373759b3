// How long a deleted name keeps its history, when the clocks of the store and of its hosts do not agree.
#include "remote/directory/directory_object_store.h"
#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr seconds kKeep = hours(30 * 24);

class RetentionTest : public ::testing::Test {
 protected:
  // `host` deletes a file at what its clock calls `deleted`.
  void delete_model(Host& host, Nanos deleted) {
    EXPECT_OK(host.load()->commit(writes("model", "content"), test_context()));
    EXPECT_OK(host.load()->commit(unlinks("model", deleted), test_context()));
  }
  void delete_model(Host& host) { delete_model(host, host.wired.clock().wall_now()); }
  // Enough records that some are snapshots.
  void commit_many(Host& host) {
    const auto root = host.load();
    for (int i = 0; i < 70; ++i) EXPECT_OK(root->commit(creates(fmt::format("n{}", ++created_)), test_context()));
  }
  // Everybody's time goes on.
  void pass(std::chrono::nanoseconds time) {
    for (FakeClock* clock : {&store.clock(), &a.wired.clock(), &b.wired.clock()}) clock->advance(time);
  }
  // For as long as it takes to notice what has expired.
  void live_on(Host& host) {
    for (int hour = 0; hour < 27; ++hour) {
      commit_many(host);
      pass(hours(1));
    }
  }
  [[nodiscard]] bool remembers_model() { return content_of(b.load()->find_any("model")) == "content"; }

  TestStore store;
  Host a{store, "host-a"};
  Host b{store, "host-b"};
  int created_ = 0;
};

TEST_F(RetentionTest, a_deleted_name_keeps_its_history_until_retention_ends) {
  delete_model(a);
  pass(kKeep - seconds(1));
  commit_many(a);
  EXPECT_TRUE(remembers_model());
  pass(seconds(1));
  live_on(a);
  EXPECT_EQ(b.load()->find_any("model"), nullptr);
}

TEST_F(RetentionTest, a_host_whose_clock_is_ahead_forgets_nothing) {
  delete_model(a);
  b.wired.clock().advance(hours(31 * 24));
  live_on(b);
  EXPECT_TRUE(remembers_model());
}

TEST_F(RetentionTest, a_host_whose_clock_was_ahead_for_months_forgets_nothing) {
  b.wired.clock().advance(hours(400 * 24));
  delete_model(a);
  live_on(b);
  live_on(b);
  EXPECT_TRUE(remembers_model());
}

TEST_F(RetentionTest, a_name_deleted_by_a_host_whose_clock_is_behind_keeps_its_history) {
  delete_model(a, 1);
  live_on(b);
  EXPECT_TRUE(remembers_model());
}

TEST_F(RetentionTest, a_host_whose_clock_is_behind_keeps_everything) {
  b.wired.clock().advance(-hours(31 * 24));
  delete_model(a);
  live_on(b);
  EXPECT_TRUE(remembers_model());
}

TEST_F(RetentionTest, a_store_that_lost_its_dates_forgets_nothing) {
  delete_model(a);
  store.clock().advance(hours(31 * 24));
  live_on(a);
  EXPECT_TRUE(remembers_model());
}

TEST_F(RetentionTest, a_name_deleted_in_the_future_is_forgotten_when_the_store_has_had_it_for_long_enough) {
  delete_model(a, a.wired.clock().wall_now() + std::chrono::nanoseconds(hours(10'000 * 24)).count());
  live_on(a);
  EXPECT_TRUE(remembers_model());
  pass(kKeep);
  live_on(a);
  EXPECT_EQ(b.load()->find_any("model"), nullptr);
}

TEST_F(RetentionTest, where_one_clock_dates_the_store_and_the_host_a_jump_forgets_nothing_within_a_day) {
  delete_model(a);
  pass(kKeep + hours(24));
  for (int hour = 0; hour < 23; ++hour) {
    commit_many(a);
    pass(hours(1));
  }
  EXPECT_TRUE(remembers_model());
  pass(-kKeep - hours(24));  // and back
  live_on(a);
  EXPECT_TRUE(remembers_model());
}

TEST_F(RetentionTest, a_deletion_is_not_as_old_as_an_earlier_one_of_that_name) {
  delete_model(a);
  pass(kKeep);
  commit_many(a);
  EXPECT_OK(a.load()->commit(writes("model", "content"), test_context()));
  EXPECT_OK(a.load()->commit(unlinks("model", 1), test_context()));
  live_on(a);
  EXPECT_TRUE(remembers_model());
}

TEST_F(RetentionTest, the_store_is_asked_only_when_something_seems_to_have_expired_and_once_an_hour) {
  delete_model(a);
  const auto heads = [](Host& host) { return host.network.count(ObjectOperation::head, "dirs/"); };
  const auto root = a.load();
  const auto commit_some = [&] {
    for (int i = 0; i < 200; ++i) EXPECT_OK(root->commit(creates(fmt::format("m{}", ++created_)), test_context()));
  };
  commit_some();
  EXPECT_EQ(heads(a), 0U);
  a.wired.clock().advance(hours(31 * 24));
  commit_some();
  const uint64_t asked = heads(a);
  EXPECT_GT(asked, 0U);
  EXPECT_LT(asked, 20U);
  commit_some();
  EXPECT_EQ(heads(a), asked);
}

TEST_F(RetentionTest, a_store_that_does_not_answer_forgets_nothing_and_fails_nobody) {
  delete_model(a);
  pass(kKeep + hours(48));
  a.network.add({.operation = ObjectOperation::head, .times = kEveryTime});
  live_on(a);
  EXPECT_TRUE(remembers_model());
}

}  // namespace
}  // namespace cairn
