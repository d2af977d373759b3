#include "remote/decorators/retrying_object_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "remote/memory_object_store.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class Retrying : public testing::Test {
 protected:
  // A store whose waits are recorded instead of waited.
  std::unique_ptr<RetryingObjectStore> patient(RetryPolicy policy) {
    return std::make_unique<RetryingObjectStore>(faulty_, policy, random_,
                                                 [this](nanoseconds wait, const RequestContext& context) {
                                                   waits_.push_back(wait);
                                                   return context.check();
                                                 });
  }
  void fail_next(uint64_t times, Errc error = Errc::unavailable) { faulty_.add({.times = times, .error = error}); }

  MemoryObjectStore memory_;
  FaultyObjectStore faulty_{memory_};
  SeededRandom random_{test_seed()};
  std::vector<nanoseconds> waits_;
};

TEST_F(Retrying, a_passing_fault_is_not_noticed) {
  const auto store = patient({});
  ASSERT_TRUE(memory_.put_if_absent("key", as_bytes("v"), test_context()));
  fail_next(3);
  EXPECT_TRUE(store->get("key", {}, test_context()));
  EXPECT_EQ(faulty_.count(ObjectOperation::get), 4);
  EXPECT_EQ(store->retries(), 3);
}

TEST_F(Retrying, answers_and_lasting_errors_are_passed_on_at_once) {
  const auto store = patient({});
  EXPECT_EQ(store->head("nothing", test_context()).error().code(), Errc::not_found);
  for (const Errc lasting :
       {Errc::io, Errc::corrupt, Errc::no_space, Errc::permission_denied, Errc::deadline_exceeded}) {
    fail_next(1, lasting);
    EXPECT_EQ(store->head("nothing", test_context()).error().code(), lasting);
    faulty_.heal();
  }
  EXPECT_TRUE(waits_.empty());
}

TEST_F(Retrying, waits_are_drawn_below_a_ceiling_that_doubles_up_to_the_longest) {
  const auto store =
      patient({.attempts = 7, .first_wait = milliseconds(10), .longest_wait = milliseconds(100), .budget = 10'000});
  std::vector<nanoseconds> longest(6);
  for (int round = 0; round < 200; ++round) {
    fail_next(6);
    waits_.clear();
    EXPECT_EQ(store->head("nothing", test_context()).error().code(), Errc::not_found);
    ASSERT_EQ(waits_.size(), longest.size());
    for (size_t n = 0; n < longest.size(); ++n) longest[n] = std::max(longest[n], waits_[n]);
  }
  const std::vector<milliseconds> ceilings = {milliseconds(10), milliseconds(20),  milliseconds(40),
                                              milliseconds(80), milliseconds(100), milliseconds(100)};
  for (size_t n = 0; n < longest.size(); ++n) {
    EXPECT_LE(longest[n], ceilings[n]);
    EXPECT_GT(longest[n], ceilings[n] / 2);  // of 200 draws some are in the upper half
  }
}

TEST_F(Retrying, gives_up_after_the_attempts_allowed_and_says_so) {
  const auto store = patient({.attempts = 3});
  fail_next(kEveryTime);
  const auto failed = store->get("key", {}, test_context());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::unavailable);
  EXPECT_NE(failed.error().message().find("tried 3 times"), std::string::npos) << failed.error().message();
  EXPECT_EQ(faulty_.count(), 3);
}

TEST_F(Retrying, does_not_begin_a_wait_that_would_end_past_the_deadline) {
  const auto store = patient({.first_wait = std::chrono::hours(1000), .longest_wait = std::chrono::hours(1000)});
  fail_next(kEveryTime);
  const auto failed = store->get("key", {}, test_context());
  EXPECT_EQ(failed.error().code(), Errc::unavailable);
  EXPECT_EQ(faulty_.count(), 1);
  EXPECT_TRUE(waits_.empty());
}

TEST_F(Retrying, a_real_wait_ends_at_once_when_the_request_is_stopped) {
  RetryingObjectStore store(faulty_, {.first_wait = std::chrono::hours(10), .longest_wait = std::chrono::hours(10)},
                            random_);
  fail_next(kEveryTime);
  std::stop_source owner;
  std::jthread stopper([&] {
    while (store.retries() == 0) std::this_thread::yield();
    owner.request_stop();
  });
  const auto context = RequestContext::within(std::chrono::hours(1000), Cause::demand, owner.get_token());
  EXPECT_EQ(store.get("key", {}, context).error().code(), Errc::cancelled);
}

TEST_F(Retrying, a_real_wait_is_followed_by_another_attempt) {
  RetryingObjectStore store(faulty_, {.first_wait = milliseconds(1)}, random_);
  fail_next(2);
  EXPECT_TRUE(store.put_if_absent("key", as_bytes("v"), test_context()));
}

TEST_F(Retrying, a_store_that_is_down_is_soon_asked_only_once_by_each_caller) {
  const auto store = patient({.attempts = 4, .budget = 5});
  fail_next(kEveryTime);
  for (int caller = 0; caller < 10; ++caller) EXPECT_FALSE(store->get("key", {}, test_context()));
  EXPECT_EQ(store->retries(), 5);
  EXPECT_EQ(faulty_.count(), 10 + 5);
}

TEST_F(Retrying, ten_answers_earn_one_retry_back) {
  const auto store = patient({.attempts = 4, .budget = 5});
  fail_next(kEveryTime);
  for (int caller = 0; caller < 10; ++caller) EXPECT_FALSE(store->get("key", {}, test_context()));
  faulty_.heal();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(store->get("key", {}, test_context()).error().code(), Errc::not_found);
  fail_next(kEveryTime);
  EXPECT_FALSE(store->get("key", {}, test_context()));
  EXPECT_EQ(store->retries(), 6);
}

TEST_F(Retrying, a_put_that_happened_although_it_failed_is_a_success) {
  const auto store = patient({});
  faulty_.add({.operation = ObjectOperation::put_if_absent, .effect = FaultEffect::fail_after});
  EXPECT_TRUE(store->put_if_absent("key", as_bytes("mine"), test_context()));
  EXPECT_EQ(faulty_.count(ObjectOperation::put_if_absent), 2);
}

TEST_F(Retrying, a_put_that_failed_while_another_won_finds_the_key_taken) {
  const auto store = patient({});
  ASSERT_TRUE(memory_.put_if_absent("key", as_bytes("theirs"), test_context()));
  fail_next(1);
  EXPECT_EQ(store->put_if_absent("key", as_bytes("mine"), test_context()).error().code(), Errc::already_exists);
}

TEST_F(Retrying, a_refusal_after_a_put_that_went_through_unheard_is_not_believed) {
  for (const Errc refusal : {Errc::permission_denied, Errc::no_space, Errc::read_only, Errc::unsupported, Errc::io}) {
    const auto store = patient({});
    const std::string key = "key" + std::to_string(static_cast<int>(refusal));
    faulty_.add({.operation = ObjectOperation::put_if_absent, .effect = FaultEffect::fail_after});
    faulty_.add({.operation = ObjectOperation::put_if_absent, .nth = 2, .error = refusal});
    EXPECT_TRUE(store->put_if_absent(key, as_bytes("mine"), test_context()));
    faulty_.heal();
  }
}

TEST_F(Retrying, a_refusal_after_an_attempt_that_may_arrive_still_is_no_final_answer) {
  const auto store = patient({});
  fail_next(1);
  faulty_.add({.operation = ObjectOperation::put_if_absent, .nth = 2, .error = Errc::no_space});
  const auto put = store->put_if_absent("key", as_bytes("mine"), test_context());
  EXPECT_EQ(put.error().code(), Errc::unavailable);
  EXPECT_NE(put.error().message().find("may have been made"), std::string::npos) << put.error().message();
  EXPECT_EQ(faulty_.count(ObjectOperation::put_if_absent), 2);
}

TEST_F(Retrying, a_first_put_that_finds_the_same_bytes_did_not_put_them) {
  const auto store = patient({});
  ASSERT_TRUE(memory_.put_if_absent("key", as_bytes("same"), test_context()));
  EXPECT_EQ(store->put_if_absent("key", as_bytes("same"), test_context()).error().code(), Errc::already_exists);
  EXPECT_EQ(faulty_.count(ObjectOperation::get), 0);
}

TEST_F(Retrying, every_operation_is_retried) {
  const auto store = patient({});
  ASSERT_TRUE(memory_.put_if_absent("key", as_bytes("v"), test_context()));
  for (const ObjectOperation operation : kObjectOperations) faulty_.add({.operation = operation});
  EXPECT_TRUE(store->get("key", {}, test_context()));
  EXPECT_TRUE(store->put_if_absent("new", as_bytes("v"), test_context()));
  EXPECT_TRUE(store->head("key", test_context()));
  EXPECT_TRUE(store->list("", "", 10, test_context()));
  EXPECT_TRUE(store->remove({"key"}, test_context()));
  EXPECT_EQ(store->retries(), 5);
}

}  // namespace cairn
