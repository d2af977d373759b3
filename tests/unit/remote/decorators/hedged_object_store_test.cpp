#include "remote/decorators/hedged_object_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "remote/memory_object_store.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

class Hedged : public testing::Test {
 protected:
  ~Hedged() override { gate_->open(); }

  void SetUp() override {
    for (const char* key : {"chunks/a", "chunks/b", "dirs/a"}) {
      ASSERT_TRUE(memory_.put_if_absent(key, as_bytes(key), test_context()));
    }
  }
  HedgedObjectStore& make_store(HedgePolicy policy = {}) {
    policy.least_wait = std::chrono::milliseconds(5);
    store_ = std::make_unique<HedgedObjectStore>(below_, policy, system_clock());
    return *store_;
  }
  // Enough quick gets that the store knows what is usual.
  void learn() {
    for (size_t i = 0; i < LatencyHistory::kRemembered; ++i) ASSERT_EQ(get("chunks/b"), "chunks/b");
  }
  std::string get(const std::string& key, const RequestContext& context = test_context()) {
    const auto bytes = store_->get(key, {}, context);
    return bytes ? std::string(as_text(bytes->view())) : fmt::format("<{}>", to_string(bytes.error().code()));
  }
  // The next `times` gets of the key stay below until the gate opens or they are stopped.
  void hold(const std::string& key, uint32_t times = 1) {
    below_.add({.operation = ObjectOperation::get,
                .key_prefix = key,
                .times = times,
                .effect = FaultEffect::block,
                .gate = gate_});
  }
  [[nodiscard]] uint64_t gets_of(const std::string& key) const { return below_.count(ObjectOperation::get, key); }

  MemoryObjectStore memory_;
  FaultyObjectStore below_{memory_};
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  std::unique_ptr<HedgedObjectStore> store_;
};

TEST_F(Hedged, a_get_that_hangs_is_answered_by_the_second) {
  make_store();
  learn();
  hold("chunks/a");
  EXPECT_EQ(get("chunks/a"), "chunks/a");
  EXPECT_EQ(gets_of("chunks/a"), 2U);
  EXPECT_EQ(store_->hedges(), 1U);
  EXPECT_EQ(store_->hedges_won(), 1U);
}

TEST_F(Hedged, quick_gets_are_asked_for_once) {
  make_store();
  learn();
  EXPECT_EQ(get("chunks/a"), "chunks/a");
  EXPECT_EQ(gets_of("chunks/"), LatencyHistory::kRemembered + 1);
  EXPECT_EQ(store_->hedges(), 0U);
}

TEST_F(Hedged, before_enough_peers_are_known_a_get_is_waited_for) {
  make_store();
  hold("chunks/a");
  std::jthread opener([this] {
    ASSERT_TRUE(gate_->wait_for_arrivals(1));
    gate_->open();
  });
  EXPECT_EQ(get("chunks/a"), "chunks/a");
  EXPECT_EQ(gets_of("chunks/a"), 1U);
}

TEST_F(Hedged, only_keys_of_the_same_first_name_are_peers) {
  make_store();
  learn();
  hold("dirs/a");
  std::jthread opener([this] {
    ASSERT_TRUE(gate_->wait_for_arrivals(1));
    gate_->open();
  });
  EXPECT_EQ(get("dirs/a"), "dirs/a");
  EXPECT_EQ(gets_of("dirs/a"), 1U);
}

TEST_F(Hedged, the_callers_stop_ends_both) {
  make_store();
  learn();
  hold("chunks/a", 2);
  std::stop_source stop;
  std::jthread stopper([&] {
    ASSERT_TRUE(gate_->wait_for_arrivals(2));
    stop.request_stop();
  });
  EXPECT_EQ(get("chunks/a", RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token())),
            "<cancelled>");
}

TEST_F(Hedged, a_failed_second_leaves_the_answer_to_the_first) {
  make_store();
  learn();
  hold("chunks/a");
  below_.add(
      {.operation = ObjectOperation::get, .key_prefix = "chunks/a", .nth = 2, .effect = FaultEffect::fail_before});
  std::jthread opener([this] {
    while (store_->hedges() == 0 || gets_of("chunks/a") < 2) std::this_thread::yield();
    gate_->open();
  });
  EXPECT_EQ(get("chunks/a"), "chunks/a");
  EXPECT_EQ(store_->hedges_won(), 0U);
}

TEST_F(Hedged, a_store_that_is_slow_as_a_whole_is_not_asked_twice_for_everything) {
  make_store({.gets_per_hedge = 1000, .burst = 1});
  learn();
  hold("chunks/a", 2);
  EXPECT_EQ(get("chunks/a", RequestContext::within(std::chrono::milliseconds(100))), "<deadline exceeded>");
  EXPECT_EQ(get("chunks/b"), "chunks/b");
  hold("chunks/a", 1);
  EXPECT_EQ(get("chunks/a", RequestContext::within(std::chrono::milliseconds(100))), "<deadline exceeded>");
  EXPECT_EQ(store_->hedges(), 1U);
}

}  // namespace cairn
