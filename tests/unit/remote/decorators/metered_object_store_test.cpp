#include "remote/decorators/metered_object_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "remote/memory_object_store.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

class Metered : public testing::Test {
 protected:
  MemoryObjectStore memory_;
  FaultyObjectStore faulty_{memory_};
  FakeClock clock_;
  MeteredObjectStore store_{faulty_, clock_};
};

TEST_F(Metered, requests_and_bytes_are_counted_by_operation_and_cause) {
  ASSERT_TRUE(store_.put_if_absent("key", as_bytes("0123456789"), test_context(Cause::write_back)));
  ASSERT_TRUE(store_.get("key", {}, test_context(Cause::demand)));
  ASSERT_TRUE(store_.get("key", {2, 3}, test_context(Cause::prefetch)));
  ASSERT_TRUE(store_.get("key", {}, test_context(Cause::prefetch)));
  ASSERT_TRUE(store_.list("", "", 1, test_context(Cause::maintenance)));
  const ObjectStoreMetrics metrics = store_.snapshot();
  EXPECT_EQ(metrics.of(ObjectOperation::put_if_absent, Cause::write_back).bytes, 10);
  EXPECT_EQ(metrics.of(ObjectOperation::get, Cause::demand).requests, 1);
  EXPECT_EQ(metrics.of(ObjectOperation::get, Cause::prefetch).requests, 2);
  EXPECT_EQ(metrics.of(ObjectOperation::get, Cause::prefetch).bytes, 13);
  EXPECT_EQ(metrics.of(ObjectOperation::get).bytes, 23);
  EXPECT_EQ(metrics.of(ObjectOperation::list, Cause::maintenance).requests, 1);
  EXPECT_EQ(metrics.total().requests, 5);
  EXPECT_EQ(metrics.total().bytes, 33);
}

TEST_F(Metered, not_found_and_already_exists_are_answers_and_move_no_bytes) {
  ASSERT_TRUE(store_.put_if_absent("key", as_bytes("v"), test_context()));
  EXPECT_FALSE(store_.put_if_absent("key", as_bytes("other"), test_context()));
  EXPECT_FALSE(store_.get("nothing", {}, test_context()));
  EXPECT_EQ(store_.snapshot().total().errors, 0);
  EXPECT_EQ(store_.snapshot().total().bytes, 1);
}

TEST_F(Metered, faults_are_errors) {
  faulty_.add({.times = 2});
  EXPECT_FALSE(store_.head("key", test_context()));
  EXPECT_FALSE(store_.get("key", {}, test_context()));
  EXPECT_EQ(store_.snapshot().of(ObjectOperation::head).errors, 1);
  EXPECT_EQ(store_.snapshot().total().errors, 2);
}

TEST_F(Metered, latency_is_summed_and_its_worst_kept) {
  for (const int seconds : {2, 5, 1}) {
    const auto gate = std::make_shared<Gate>();
    faulty_.heal();
    faulty_.add({.effect = FaultEffect::block, .gate = gate});
    std::jthread caller([&] { EXPECT_FALSE(store_.head("key", test_context())); });
    ASSERT_TRUE(gate->wait_for_arrivals(1));
    clock_.advance(std::chrono::seconds(seconds));
    gate->open();
  }
  EXPECT_EQ(store_.snapshot().of(ObjectOperation::head).latency_sum, std::chrono::seconds(8));
  EXPECT_EQ(store_.snapshot().of(ObjectOperation::head).latency_max, std::chrono::seconds(5));
}

TEST_F(Metered, no_request_of_many_threads_is_lost) {
  ASSERT_TRUE(memory_.put_if_absent("key", as_bytes("v"), test_context()));
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < 250; ++i) EXPECT_TRUE(store_.get("key", {}, test_context()));
      });
    }
  }
  EXPECT_EQ(store_.snapshot().of(ObjectOperation::get).requests, 1000);
  EXPECT_EQ(store_.snapshot().of(ObjectOperation::get).bytes, 1000);
}

}  // namespace cairn
