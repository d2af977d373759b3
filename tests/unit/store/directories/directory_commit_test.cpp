// Commits under everything that goes wrong: races, lost answers, dead remotes, callers that leave.
#include <future>
#include <thread>

#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DirectoryCommitTest : public ::testing::Test {
 protected:
  // A rule for puts of records.
  static FaultRule put_rule(FaultEffect effect, uint64_t times = 1, Errc error = Errc::unavailable) {
    return {.operation = ObjectOperation::put_if_absent,
            .key_prefix = "dirs/",
            .times = times,
            .effect = effect,
            .error = error};
  }
  static FaultRule get_rule(FaultEffect effect, uint64_t times = 1) {
    return {.operation = ObjectOperation::get, .key_prefix = "dirs/", .times = times, .effect = effect};
  }
  // The next put of a record waits at this gate.
  std::shared_ptr<Gate> gate_next_put(Host& host) {
    auto gate = std::make_shared<Gate>();
    FaultRule rule = put_rule(FaultEffect::block);
    rule.gate = gate;
    host.network.add(rule);
    return gate;
  }
  // Runs `work` on its own thread.
  template <class Work>
  static auto start(Work work) {
    return std::async(std::launch::async, std::move(work));
  }
  // Waits until `directory` shows `name`: its commit has begun.
  static void await_name(const Directory& directory, const std::string& name) {
    while (!directory.find(name)) std::this_thread::yield();
  }

  TestStore store;
  Host a{store, "host-a"};
  Host b{store, "host-b"};
};

TEST_F(DirectoryCommitTest, sixteen_threads_on_each_of_two_hosts_lose_nothing) {
  const auto here = a.load();
  const auto there = b.load();
  constexpr int kThreads = 16;
  constexpr int kCommits = 20;
  const auto work = [&](Directory& directory, const std::string& prefix) {
    for (int i = 0; i < kCommits; ++i) {
      EXPECT_OK(directory.commit(creates(prefix + std::to_string(i)), test_context()));
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] { work(*here, fmt::format("a{}-", t)); });
      threads.emplace_back([&, t] { work(*there, fmt::format("b{}-", t)); });
    }
  }
  EXPECT_EQ(names(*Host(store, "host-c").load()).size(), 2U * kThreads * kCommits);
}

TEST_F(DirectoryCommitTest, commits_that_wait_together_share_one_record) {
  const auto root = a.load();
  const auto gate = gate_next_put(a);
  auto first = start([&] { return root->commit(creates("first"), test_context()); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  std::vector<std::future<Result<void>>> others;
  for (int i = 0; i < 10; ++i) {
    const std::string name = "other" + std::to_string(i);
    others.push_back(start([&, name] { return root->commit(creates(name), test_context()); }));
    await_name(*root, name);
  }
  gate->open();
  EXPECT_OK(first.get());
  for (auto& other : others) EXPECT_OK(other.get());
  EXPECT_EQ(a.puts(), 2U);
  EXPECT_EQ(names(*b.load()).size(), 11U);
}

TEST_F(DirectoryCommitTest, a_change_that_fails_fails_only_its_own_caller) {
  const auto root = a.load();
  EXPECT_OK(b.load()->commit(creates("taken", 1), test_context()));
  const auto gate = gate_next_put(a);
  auto first = start([&] { return root->commit(creates("first"), test_context()); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto taken = start([&] { return root->commit(creates("taken", 2), test_context()); });
  await_name(*root, "taken");
  auto other = start([&] { return root->commit(creates("other"), test_context()); });
  await_name(*root, "other");
  gate->open();
  EXPECT_OK(first.get());
  EXPECT_OK(other.get());
  EXPECT_POSIX(taken.get(), EEXIST);
  EXPECT_EQ(root->find("taken")->id, 1U);
  EXPECT_THAT(names(*b.load()), ElementsAre("first", "other", "taken"));
}

TEST_F(DirectoryCommitTest, a_put_that_succeeded_without_saying_so_is_recognised) {
  const auto root = a.load();
  a.network.add(put_rule(FaultEffect::fail_after));
  EXPECT_OK(root->commit(creates("model"), test_context()));
  EXPECT_EQ(a.puts(), 1U);
  EXPECT_THAT(names(*b.load()), ElementsAre("model"));
}

TEST_F(DirectoryCommitTest, a_retry_below_that_finds_our_own_record_is_recognised) {
  const auto root = a.load();
  a.network.add(put_rule(FaultEffect::fail_after, 1, Errc::already_exists));
  EXPECT_OK(root->commit(creates("model"), test_context()));
  EXPECT_EQ(a.wired.counters().commit_races, 0U);
  EXPECT_EQ(a.puts(), 1U);
}

TEST_F(DirectoryCommitTest, a_failed_commit_is_withdrawn_from_the_view) {
  const auto root = a.load();
  a.network.add(put_rule(FaultEffect::fail_before));
  EXPECT_FAILS(root->commit(creates("model"), test_context()), Errc::unavailable);
  EXPECT_THAT(names(*root), IsEmpty());
  EXPECT_OK(root->commit(creates("model"), test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("model"));
}

TEST_F(DirectoryCommitTest, a_refused_put_is_passed_on_as_it_is) {
  const auto root = a.load();
  a.network.add(put_rule(FaultEffect::fail_before, 1, Errc::no_space));
  const uint64_t gets = a.gets();
  EXPECT_FAILS(root->commit(creates("model"), test_context()), Errc::no_space);
  EXPECT_EQ(a.gets(), gets);
  EXPECT_THAT(names(*root), IsEmpty());
}

TEST_F(DirectoryCommitTest, a_refusal_is_not_believed_of_a_change_that_an_earlier_record_has) {
  const auto root = a.load();
  EXPECT_OK(root->commit_soon(creates("soon")));
  a.network.add(put_rule(FaultEffect::fail_after));
  a.network.add({.operation = ObjectOperation::get, .key_prefix = "dirs/"});  // the question what became of it
  EXPECT_FAILS(root->flush(test_context()), Errc::unavailable);
  a.network.add(put_rule(FaultEffect::fail_before, 1, Errc::permission_denied));
  EXPECT_OK(root->flush(test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("soon"));
  EXPECT_EQ(a.wired.counters().dropped_changes, 0U);
}

TEST_F(DirectoryCommitTest, changes_for_later_survive_a_dead_store_and_are_committed_when_it_is_back) {
  const auto root = a.load();
  a.network.add({.times = kEveryTime});
  EXPECT_OK(root->commit_soon(creates("soon")));
  EXPECT_FAILS(root->flush(test_context()), Errc::unavailable);
  EXPECT_FAILS(root->commit(creates("now"), test_context()), Errc::unavailable);
  EXPECT_THAT(names(*root), ElementsAre("soon"));
  EXPECT_TRUE(root->due());
  a.network.heal();
  EXPECT_OK(root->flush(test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("soon"));
  EXPECT_EQ(a.wired.counters().dropped_changes, 0U);
}

TEST_F(DirectoryCommitTest, a_put_whose_outcome_cannot_be_read_is_unavailable_and_found_later) {
  const auto root = a.load();
  a.network.add(put_rule(FaultEffect::fail_after));
  a.network.add(get_rule(FaultEffect::fail_before));
  EXPECT_OK(root->commit_soon(creates("soon")));
  EXPECT_FAILS(root->commit(creates("model"), test_context()), Errc::unavailable);
  EXPECT_THAT(names(*root), ElementsAre("soon"));
  // It had happened. The change for later was in it, and is not made again.
  EXPECT_OK(root->flush(test_context()));
  EXPECT_THAT(names(*root), ElementsAre("model", "soon"));
  EXPECT_EQ(a.wired.counters().dropped_changes, 0U);
  EXPECT_THAT(names(*b.load()), ElementsAre("model", "soon"));
}

TEST_F(DirectoryCommitTest, refresh_finds_a_commit_whose_outcome_was_unknown) {
  const auto root = a.load();
  a.network.add(put_rule(FaultEffect::fail_after));
  a.network.add(get_rule(FaultEffect::fail_before));
  EXPECT_OK(root->commit_soon(creates("soon")));
  EXPECT_FAILS(root->flush(test_context()), Errc::unavailable);
  EXPECT_OK(root->refresh(std::chrono::nanoseconds(0), test_context()));
  EXPECT_EQ(root->due(), std::nullopt);
  EXPECT_EQ(a.wired.counters().dropped_changes, 0U);
}

TEST_F(DirectoryCommitTest, a_caller_that_is_interrupted_leaves_and_the_others_go_on) {
  const auto root = a.load();
  const auto gate = gate_next_put(a);
  std::stop_source stop;
  auto leader = start([&] {
    return root->commit(creates("leader"),
                        RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token()));
  });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto follower = start([&] { return root->commit(creates("follower"), test_context()); });
  await_name(*root, "follower");
  stop.request_stop();
  EXPECT_FAILS(leader.get(), Errc::cancelled);
  EXPECT_OK(follower.get());
  EXPECT_THAT(names(*b.load()), ElementsAre("follower"));
  EXPECT_THAT(names(*root), ElementsAre("follower"));
}

TEST_F(DirectoryCommitTest, what_an_interrupted_caller_had_sent_counts_once_when_it_turns_out_to_be_stored) {
  const auto root = a.load();
  const auto gate = gate_next_put(a);
  std::stop_source stop;
  const auto context = RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token());
  EXPECT_OK(root->commit_soon(creates("soon")));
  // The put waits, is done, and is reported as failed; by then its caller has been interrupted.
  a.network.add(put_rule(FaultEffect::fail_after));
  auto leader = start([&] { return root->commit(creates("leader"), context); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto follower = start([&] { return root->commit(creates("follower"), test_context()); });
  await_name(*root, "follower");
  gate->open();
  stop.request_stop();
  (void)leader.get();
  EXPECT_OK(follower.get());
  EXPECT_OK(root->flush(test_context()));
  EXPECT_EQ(a.wired.counters().dropped_changes, 0U);
  EXPECT_EQ(names(*b.load()), names(*root));
  EXPECT_NE(root->find("soon"), nullptr);
}

TEST_F(DirectoryCommitTest, a_waiter_leaves_at_its_own_deadline) {
  const auto root = a.load();
  const auto gate = gate_next_put(a);
  auto leader = start([&] { return root->commit(creates("leader"), test_context()); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  EXPECT_FAILS(root->commit(creates("hasty"), RequestContext::within(std::chrono::milliseconds(20))),
               Errc::deadline_exceeded);
  EXPECT_EQ(root->find("hasty"), nullptr);
  EXPECT_NE(root->find("leader"), nullptr);
  gate->open();
  EXPECT_OK(leader.get());
  EXPECT_OK(root->flush(test_context()));
  EXPECT_THAT(names(*b.load()), ElementsAre("leader"));
}

TEST_F(DirectoryCommitTest, concurrent_refreshes_share_one_question) {
  const auto root = a.load();
  const auto gate = std::make_shared<Gate>();
  FaultRule rule = get_rule(FaultEffect::block);
  rule.gate = gate;
  a.network.add(rule);
  const uint64_t before = a.gets();
  const auto refreshes = [&] { return root->refresh(std::chrono::nanoseconds(0), test_context()); };
  auto first = start(refreshes);
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  // These begin after the question that is under way, so they need one more, and one is enough for all. Each has begun
  // once it has looked at the clock.
  constexpr uint64_t kOthers = 8;
  const uint64_t readings = a.wired.clock().steady_readings();
  std::vector<std::future<Result<void>>> others;
  for (uint64_t i = 0; i < kOthers; ++i) others.push_back(start(refreshes));
  while (a.wired.clock().steady_readings() < readings + kOthers) std::this_thread::yield();
  gate->open();
  EXPECT_OK(first.get());
  for (auto& other : others) EXPECT_OK(other.get());
  EXPECT_EQ(a.gets() - before, 2U);
}

TEST_F(DirectoryCommitTest, a_refresh_of_age_zero_does_not_trust_a_question_that_began_before_it) {
  const auto root = a.load();
  const auto gate = std::make_shared<Gate>();
  FaultRule rule = get_rule(FaultEffect::block);
  rule.gate = gate;
  a.network.add(rule);
  const auto refreshes = [&] { return root->refresh(std::chrono::nanoseconds(0), test_context()); };
  const uint64_t before = a.gets();
  auto first = start(refreshes);
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto second = start([&] { return root->refresh(std::chrono::nanoseconds(0), test_context()); });
  gate->open();
  EXPECT_OK(first.get());
  EXPECT_OK(second.get());
  EXPECT_OK(refreshes());
  EXPECT_EQ(a.gets() - before, 3U);
}

TEST_F(DirectoryCommitTest, an_interrupted_refresh_leaves_the_question_to_the_others) {
  const auto root = a.load();
  const auto gate = std::make_shared<Gate>();
  FaultRule rule = get_rule(FaultEffect::block);
  rule.gate = gate;
  a.network.add(rule);
  std::stop_source stop;
  auto first = start([&] {
    return root->refresh(std::chrono::nanoseconds(0),
                         RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token()));
  });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  auto second = start([&] { return root->refresh(std::chrono::nanoseconds(0), test_context()); });
  stop.request_stop();
  EXPECT_FAILS(first.get(), Errc::cancelled);
  EXPECT_OK(second.get());
}

TEST_F(DirectoryCommitTest, commits_race_with_refreshes_and_lose_nothing) {
  const auto here = a.load();
  const auto there = b.load();
  constexpr int kCommits = 200;
  std::atomic<bool> done{false};
  {
    const std::jthread reader([&] {
      while (!done) EXPECT_OK(here->refresh(std::chrono::nanoseconds(0), test_context()));
    });
    const std::jthread writer([&] {
      for (int i = 0; i < kCommits; ++i) EXPECT_OK(here->commit_soon(creates("soon" + std::to_string(i))));
    });
    const std::jthread other([&] {
      for (int i = 0; i < kCommits; ++i) EXPECT_OK(there->commit(creates("there" + std::to_string(i)), test_context()));
      done = true;
    });
  }
  EXPECT_OK(here->flush(test_context()));
  EXPECT_EQ(names(*Host(store, "host-c").load()).size(), 2U * kCommits);
}

}  // namespace
}  // namespace cairn
