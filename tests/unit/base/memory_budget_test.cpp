#include "base/memory_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/test_environment.h"

namespace cairn {

namespace {

void wait_until_contended(const MemoryBudget& budget) {
  while (!budget.contended()) std::this_thread::yield();
}

}  // namespace

TEST(MemoryBudget, a_lease_gives_back_what_it_took) {
  MemoryBudget budget(100);
  {
    const auto lease = budget.acquire(60, test_context());
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->size_bytes(), 60);
    EXPECT_EQ(budget.used_bytes(), 60);
  }
  EXPECT_EQ(budget.used_bytes(), 0);
  EXPECT_EQ(budget.peak_bytes(), 60);
}

TEST(MemoryBudget, a_moved_lease_is_given_back_once) {
  MemoryBudget budget(100);
  auto first = budget.acquire(60, test_context());
  ASSERT_TRUE(first);
  MemoryBudget::Lease second = std::move(*first);
  EXPECT_EQ(budget.used_bytes(), 60);
  second = MemoryBudget::Lease();
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST(MemoryBudget, a_lease_can_shrink) {
  MemoryBudget budget(100);
  auto lease = budget.acquire(60, test_context());
  ASSERT_TRUE(lease);
  lease->shrink_to(20);
  EXPECT_EQ(budget.used_bytes(), 20);
  EXPECT_EQ(lease->size_bytes(), 20);
  lease->release();
  EXPECT_EQ(budget.used_bytes(), 0);
}

TEST(MemoryBudget, what_does_not_fit_now_is_refused_without_waiting) {
  MemoryBudget budget(100);
  const auto held = budget.try_acquire(60);
  ASSERT_TRUE(held);
  const auto refused = budget.try_acquire(41);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::no_space);
  EXPECT_TRUE(budget.try_acquire(40));
}

TEST(MemoryBudget, a_request_waits_until_others_have_given_back) {
  MemoryBudget budget(100);
  auto held = budget.acquire(60, test_context());
  ASSERT_TRUE(held);
  std::jthread waiter([&] { EXPECT_TRUE(budget.acquire(60, test_context())); });
  wait_until_contended(budget);
  EXPECT_EQ(budget.used_bytes(), 60);
  held->release();
  waiter.join();
  EXPECT_EQ(budget.peak_bytes(), 60);
  EXPECT_FALSE(budget.contended());
}

TEST(MemoryBudget, a_request_larger_than_all_of_it_is_granted_alone) {
  MemoryBudget budget(100);
  auto small = budget.acquire(1, test_context());
  ASSERT_TRUE(small);
  std::jthread waiter([&] { EXPECT_TRUE(budget.acquire(500, test_context())); });
  wait_until_contended(budget);
  small->release();
  waiter.join();
  EXPECT_EQ(budget.peak_bytes(), 500);
}

TEST(MemoryBudget, small_requests_do_not_overtake_a_large_one) {
  MemoryBudget budget(100);
  auto held = budget.acquire(60, test_context());
  ASSERT_TRUE(held);
  std::jthread waiter([&] { EXPECT_TRUE(budget.acquire(100, test_context())); });
  wait_until_contended(budget);
  EXPECT_FALSE(budget.try_acquire(10));
  const auto small = budget.acquire(10, RequestContext::within(std::chrono::milliseconds(5)));
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code(), Errc::deadline_exceeded);
  held->release();
  waiter.join();
  EXPECT_TRUE(budget.try_acquire(10));
}

TEST(MemoryBudget, who_holds_memory_that_others_wait_for_goes_first) {
  MemoryBudget budget(100);
  auto held = budget.acquire(60, test_context());
  ASSERT_TRUE(held);
  std::jthread waiter([&] { EXPECT_TRUE(budget.acquire(100, test_context())); });
  wait_until_contended(budget);
  {
    const MemoryBudget::Ahead ahead;
    EXPECT_TRUE(budget.acquire(40, test_context()));
  }
  held->release();
}

TEST(MemoryBudget, a_large_request_that_gives_up_makes_way) {
  MemoryBudget budget(100);
  const auto held = budget.acquire(60, test_context());
  ASSERT_TRUE(held);
  std::stop_source owner;
  std::jthread large([&] {
    EXPECT_FALSE(budget.acquire(100, RequestContext::within(std::chrono::hours(1), Cause::demand, owner.get_token())));
  });
  wait_until_contended(budget);
  std::jthread small([&] { EXPECT_TRUE(budget.acquire(10, test_context())); });
  owner.request_stop();
}

TEST(MemoryBudget, a_stop_ends_the_wait_and_takes_nothing) {
  MemoryBudget budget(100);
  const auto held = budget.acquire(100, test_context());
  ASSERT_TRUE(held);
  std::stop_source owner;
  std::jthread stopper([&] {
    wait_until_contended(budget);
    owner.request_stop();
  });
  const auto stopped =
      budget.acquire(1, RequestContext::within(std::chrono::hours(1), Cause::demand, owner.get_token()));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), Errc::cancelled);
  EXPECT_EQ(budget.used_bytes(), 100);
}

TEST(MemoryBudget, a_deadline_ends_the_wait_and_takes_nothing) {
  MemoryBudget budget(100);
  const auto held = budget.acquire(100, test_context());
  ASSERT_TRUE(held);
  const auto late = budget.acquire(1, RequestContext::within(std::chrono::milliseconds(5)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(budget.used_bytes(), 100);
}

TEST(MemoryBudget, idle_buffers_are_asked_for_before_anybody_waits) {
  MemoryBudget budget(100);
  auto idle = budget.acquire(90, test_context());
  ASSERT_TRUE(idle);
  uint64_t wanted = 0;
  budget.set_reclaimer([&](uint64_t wanted_bytes) {
    wanted = wanted_bytes;
    idle->release();
  });
  EXPECT_TRUE(budget.acquire(50, test_context()));
  EXPECT_EQ(wanted, 50);
}

TEST(MemoryBudget, is_never_overdrawn_by_many_threads) {
  constexpr uint64_t kLimit = 10;
  MemoryBudget budget(kLimit);
  {
    std::vector<std::jthread> threads;
    for (uint64_t thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (uint64_t i = 0; i < 200; ++i) EXPECT_TRUE(budget.acquire(1 + (i + thread) % kLimit, test_context()));
      });
    }
  }
  EXPECT_LE(budget.peak_bytes(), kLimit);
  EXPECT_EQ(budget.used_bytes(), 0);
}

}  // namespace cairn
