// The double that other tests lean on keeps its word.
#include "tests/support/faulty_object_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "remote/memory_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

class Faulty : public testing::Test {
 protected:
  Result<void> put(const std::string& key) { return store_.put_if_absent(key, as_bytes("0123"), test_context()); }
  std::string text_of(ObjectStore& store, const std::string& key) {
    const auto bytes = store.get(key, {}, test_context());
    return bytes ? std::string(as_text(bytes->view())) : std::string(to_string(bytes.error().code()));
  }

  MemoryObjectStore inner_;
  FaultyObjectStore store_{inner_};
};

TEST_F(Faulty, without_rules_it_only_counts) {
  EXPECT_TRUE(put("a/1"));
  EXPECT_EQ(text_of(store_, "a/1"), "0123");
  EXPECT_EQ(store_.count(), 2);
  EXPECT_EQ(store_.count(ObjectOperation::get), 1);
  EXPECT_EQ(store_.count(ObjectOperation::get, "a/"), 1);
  EXPECT_EQ(store_.count(ObjectOperation::get, "b/"), 0);
}

TEST_F(Faulty, the_nth_match_of_operation_and_prefix_is_hit) {
  store_.add({.operation = ObjectOperation::put_if_absent, .key_prefix = "a/", .nth = 2, .times = 2});
  EXPECT_TRUE(put("a/1"));
  EXPECT_TRUE(put("b/1"));
  EXPECT_FALSE(put("a/2"));
  EXPECT_FALSE(put("a/3"));
  EXPECT_TRUE(put("a/4"));
  EXPECT_EQ(text_of(inner_, "a/2"), "not found");
}

TEST_F(Faulty, a_put_can_happen_and_fail) {
  store_.add({.effect = FaultEffect::fail_after, .error = Errc::deadline_exceeded});
  EXPECT_EQ(put("a").error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(text_of(inner_, "a"), "0123");
}

TEST_F(Faulty, bytes_are_damaged_on_their_way_in_and_out) {
  store_.add({.operation = ObjectOperation::put_if_absent, .effect = FaultEffect::truncate});
  EXPECT_TRUE(put("short"));
  EXPECT_EQ(text_of(inner_, "short"), "01");
  EXPECT_TRUE(put("whole"));
  store_.add({.operation = ObjectOperation::get, .effect = FaultEffect::flip_bit});
  EXPECT_EQ(text_of(store_, "whole"), "01\"3");
  EXPECT_EQ(text_of(store_, "whole"), "0123");
}

TEST_F(Faulty, after_a_crash_nothing_works_until_it_heals) {
  store_.add({.operation = ObjectOperation::put_if_absent, .nth = 2, .effect = FaultEffect::crash_before});
  EXPECT_TRUE(put("a"));
  EXPECT_EQ(put("b").error().code(), Errc::unavailable);
  EXPECT_TRUE(store_.crashed());
  EXPECT_EQ(text_of(store_, "a"), "unavailable");
  store_.heal();
  EXPECT_EQ(text_of(store_, "a"), "0123");
  EXPECT_EQ(text_of(store_, "b"), "not found");
}

TEST_F(Faulty, a_crash_can_come_just_after_the_operation) {
  store_.add({.effect = FaultEffect::crash_after});
  EXPECT_EQ(put("a").error().code(), Errc::unavailable);
  EXPECT_EQ(put("b").error().code(), Errc::unavailable);
  EXPECT_EQ(text_of(inner_, "a"), "0123");
  EXPECT_EQ(text_of(inner_, "b"), "not found");
}

TEST_F(Faulty, a_blocked_operation_goes_on_when_the_gate_opens) {
  const auto gate = std::make_shared<Gate>();
  store_.add({.effect = FaultEffect::block, .gate = gate});
  std::jthread writer([&] { EXPECT_TRUE(put("a")); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  EXPECT_EQ(text_of(inner_, "a"), "not found");
  gate->open();
  writer.join();
  EXPECT_EQ(text_of(inner_, "a"), "0123");
}

TEST_F(Faulty, a_blocked_operation_ends_with_its_request) {
  store_.add({.effect = FaultEffect::block, .gate = std::make_shared<Gate>()});
  const auto late = store_.get("a", {}, RequestContext::within(std::chrono::milliseconds(5)));
  EXPECT_EQ(late.error().code(), Errc::deadline_exceeded);
}

}  // namespace cairn
