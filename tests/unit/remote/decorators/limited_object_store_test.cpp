#include "remote/decorators/limited_object_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "remote/memory_object_store.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

// Each request is a head of a key that says who asks, and stays inside the store below until its gate opens.
class Limited : public testing::Test {
 protected:
  ~Limited() override {
    for (const auto& gate : gates_) gate->open();
    threads_.clear();
  }
  LimitedObjectStore& make_store(ObjectStoreLimits limits) {
    store_ = std::make_unique<LimitedObjectStore>(below_, limits);
    return *store_;
  }
  // Begins a request that stays in the store below until the gate opens.
  std::shared_ptr<Gate> begin(LimitedObjectStore& store, const std::string& key, Cause cause) {
    const auto gate = gates_.emplace_back(std::make_shared<Gate>());
    below_.add({.key_prefix = key, .effect = FaultEffect::block, .gate = gate});
    threads_.emplace_back([&store, key, cause] { std::ignore = store.head(key, test_context(cause)); });
    return gate;
  }
  // Begins one more and waits until it queues.
  std::shared_ptr<Gate> queue(LimitedObjectStore& store, const std::string& key, Cause cause) {
    const size_t before = store.waiting();
    auto gate = begin(store, key, cause);
    while (store.waiting() != before + 1) std::this_thread::yield();
    return gate;
  }
  [[nodiscard]] bool has_begun(const std::string& key) const { return below_.count(ObjectOperation::head, key) > 0; }

  MemoryObjectStore memory_;
  FaultyObjectStore below_{memory_};
  std::unique_ptr<LimitedObjectStore> store_;
  std::vector<std::shared_ptr<Gate>> gates_;
  std::vector<std::jthread> threads_;
};

TEST_F(Limited, only_so_many_operations_are_under_way) {
  LimitedObjectStore& store = make_store({.operations = 2, .background_operations = 2});
  const auto first = begin(store, "first", Cause::demand);
  const auto second = begin(store, "second", Cause::demand);
  ASSERT_TRUE(first->wait_for_arrivals(1));
  ASSERT_TRUE(second->wait_for_arrivals(1));
  const auto third = queue(store, "third", Cause::demand);
  EXPECT_FALSE(has_begun("third"));
  first->open();
  EXPECT_TRUE(third->wait_for_arrivals(1));
  EXPECT_EQ(store.waiting(), 0);
}

TEST_F(Limited, an_operation_that_was_sent_ends_in_time_however_patient_its_caller_is) {
  LimitedObjectStore& store = make_store({.operations = 1, .background_operations = 1, .timeout = {}});
  const auto gate = below_.block(ObjectOperation::put_if_absent, "silent");
  const auto put = store.put_if_absent("silent", {}, RequestContext::within(std::chrono::hours(1)));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::deadline_exceeded);
  EXPECT_TRUE(gate->wait_for_arrivals(1));
  gate->open();
}

TEST_F(Limited, demand_goes_before_prefetch_that_came_earlier) {
  LimitedObjectStore& store = make_store({.operations = 1, .background_operations = 1});
  const auto running = begin(store, "running", Cause::demand);
  ASSERT_TRUE(running->wait_for_arrivals(1));
  const auto maintenance = queue(store, "maintenance", Cause::maintenance);
  const auto prefetch = queue(store, "prefetch", Cause::prefetch);
  const auto write_back = queue(store, "write-back", Cause::write_back);
  const auto demand = queue(store, "demand", Cause::demand);
  running->open();
  for (const auto& next : {write_back, demand, prefetch, maintenance}) {
    ASSERT_TRUE(next->wait_for_arrivals(1));
    EXPECT_EQ(has_begun("maintenance"), next == maintenance);
    next->open();
  }
}

TEST_F(Limited, a_flood_of_saves_does_not_hold_up_a_reader) {
  LimitedObjectStore& store = make_store({.operations = 1, .background_operations = 1});
  const auto running = begin(store, "running", Cause::demand);
  ASSERT_TRUE(running->wait_for_arrivals(1));
  std::vector<std::shared_ptr<Gate>> saves;
  for (int i = 0; i < 5; ++i) saves.push_back(queue(store, fmt::format("save-{}", i), Cause::write_back));
  const auto read = queue(store, "read", Cause::demand);
  running->open();
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(saves[i]->wait_for_arrivals(1));
    saves[i]->open();
  }
  EXPECT_TRUE(read->wait_for_arrivals(1));
  EXPECT_FALSE(has_begun("save-2"));
}

TEST_F(Limited, readers_do_not_hold_up_a_save) {
  LimitedObjectStore& store = make_store({.operations = 1, .background_operations = 1});
  const auto running = begin(store, "running", Cause::write_back);
  ASSERT_TRUE(running->wait_for_arrivals(1));
  std::vector<std::shared_ptr<Gate>> reads;
  for (int i = 0; i < 5; ++i) reads.push_back(queue(store, fmt::format("read-{}", i), Cause::demand));
  const auto save = queue(store, "save", Cause::write_back);
  running->open();
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(reads[i]->wait_for_arrivals(1));
    reads[i]->open();
  }
  EXPECT_TRUE(save->wait_for_arrivals(1));
  EXPECT_FALSE(has_begun("read-2"));
}

TEST_F(Limited, background_work_leaves_room_for_demand) {
  LimitedObjectStore& store = make_store({.operations = 2, .background_operations = 1});
  const auto first = begin(store, "first-prefetch", Cause::prefetch);
  ASSERT_TRUE(first->wait_for_arrivals(1));
  const auto second = queue(store, "second-prefetch", Cause::prefetch);
  const auto demand = begin(store, "demand", Cause::demand);
  EXPECT_TRUE(demand->wait_for_arrivals(1));
  EXPECT_FALSE(has_begun("second-prefetch"));
  demand->open();
  first->open();
  EXPECT_TRUE(second->wait_for_arrivals(1));
}

TEST_F(Limited, a_stopped_request_leaves_the_queue_and_asks_nothing) {
  LimitedObjectStore& store = make_store({.operations = 1, .background_operations = 1});
  const auto running = begin(store, "running", Cause::demand);
  ASSERT_TRUE(running->wait_for_arrivals(1));
  std::stop_source owner;
  std::jthread stopper([&] {
    while (store.waiting() == 0) std::this_thread::yield();
    owner.request_stop();
  });
  const auto context = RequestContext::within(std::chrono::hours(1), Cause::demand, owner.get_token());
  EXPECT_EQ(store.head("stopped", context).error().code(), Errc::cancelled);
  EXPECT_FALSE(has_begun("stopped"));
  EXPECT_EQ(store.waiting(), 0);
}

TEST_F(Limited, a_request_does_not_wait_past_its_deadline) {
  LimitedObjectStore& store = make_store({.operations = 1, .background_operations = 1});
  const auto running = begin(store, "running", Cause::demand);
  ASSERT_TRUE(running->wait_for_arrivals(1));
  const auto late = store.head("late", RequestContext::within(std::chrono::milliseconds(5)));
  EXPECT_EQ(late.error().code(), Errc::deadline_exceeded);
  EXPECT_FALSE(has_begun("late"));
}

TEST_F(Limited, one_that_leaves_the_head_of_the_queue_lets_the_next_in) {
  LimitedObjectStore& store = make_store({.operations = 2, .background_operations = 1});
  const auto prefetching = begin(store, "prefetching", Cause::prefetch);
  ASSERT_TRUE(prefetching->wait_for_arrivals(1));
  std::stop_source owner;
  std::jthread impatient([&] {
    const auto context = RequestContext::within(std::chrono::hours(1), Cause::prefetch, owner.get_token());
    EXPECT_EQ(store.head("impatient", context).error().code(), Errc::cancelled);
  });
  while (store.waiting() == 0) std::this_thread::yield();
  const auto patient = queue(store, "patient", Cause::prefetch);
  owner.request_stop();
  impatient.join();
  prefetching->open();
  EXPECT_TRUE(patient->wait_for_arrivals(1));
}

}  // namespace cairn
