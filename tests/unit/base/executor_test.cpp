#include "base/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <new>

#include "base/parallel.h"
#include "tests/support/gate.h"
#include "tests/support/test_environment.h"

namespace cairn {

TEST(Executor, runs_what_was_queued_before_it_goes) {
  std::atomic<int> ran = 0;
  {
    Executor executor("test", 3);
    for (int i = 0; i < 100; ++i) executor.submit([&] { ++ran; });
  }
  EXPECT_EQ(ran, 100);
}

TEST(Executor, one_thread_runs_tasks_in_order_of_arrival) {
  std::vector<int> order;
  {
    Executor executor("test", 1);
    for (int i = 0; i < 10; ++i) executor.submit([&, i] { order.push_back(i); });
  }
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(Executor, urgent_tasks_go_before_all_others_and_in_order_among_themselves) {
  Gate gate;
  std::vector<int> order;
  {
    Executor executor("test", 1);
    executor.submit([&] { EXPECT_TRUE(gate.pass(test_context())); });
    ASSERT_TRUE(gate.wait_for_arrivals(1));  // the only thread is busy: what follows queues
    executor.submit([&] { order.push_back(1); });
    executor.submit([&] { order.push_back(2); });
    executor.submit_urgent([&] { order.push_back(10); });
    executor.submit_urgent([&] { order.push_back(20); });
    EXPECT_EQ(executor.queued(), 4);
    gate.open();
  }
  EXPECT_EQ(order, (std::vector{10, 20, 1, 2}));
}

TEST(Executor, has_as_many_tasks_under_way_as_threads) {
  std::latch all_in(4);  // passes only if four tasks wait in it at once
  Executor executor("test", 4);
  for (int i = 0; i < 4; ++i) executor.submit([&] { all_in.arrive_and_wait(); });
  all_in.wait();
}

TEST(Executor, a_task_may_queue_another) {
  std::atomic<bool> ran = false;
  {
    Executor executor("test", 1);
    executor.submit([&] { executor.submit([&] { ran = true; }); });
  }
  EXPECT_TRUE(ran);
}

TEST(Executor, what_a_task_captured_goes_when_it_has_run) {
  Gate gate;
  auto captured = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = captured;
  Executor executor("test", 1);
  executor.submit([kept = std::move(captured)] {});
  executor.submit([&] { EXPECT_TRUE(gate.pass(test_context())); });
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  EXPECT_TRUE(watch.expired());
  gate.open();
}

TEST(Executor, an_exception_of_a_task_ends_neither_its_thread_nor_the_process) {
  std::atomic<int> ran{0};
  {
    Executor executor("test", 1);
    executor.submit([]() -> void { throw std::bad_alloc(); });
    executor.submit([&ran] { ++ran; });
  }
  EXPECT_EQ(ran, 1);
}

TEST(RunInParallel, an_exception_of_one_call_is_the_callers_once_all_have_returned) {
  Executor executor("test", 2);
  std::atomic<int> ran{0};
  const auto work = [&ran](size_t i) {
    if (i == 3) throw std::bad_alloc();
    ++ran;
  };
  EXPECT_THROW(run_in_parallel(executor, 8, 2, work), std::bad_alloc);
  EXPECT_EQ(ran, 7);
}

}  // namespace cairn
