#include "remote/decorators/detached_object_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "remote/memory_object_store.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

// Calls whose keys begin with "stuck" stay in it until the gate opens, whatever their contexts say: a dead server.
// Owns all that it needs, as a store that may be left behind must.
class HangingObjectStore final : public ObjectStore {
 public:
  HangingObjectStore(std::shared_ptr<MemoryObjectStore> memory, std::shared_ptr<Gate> gate)
      : memory_(std::move(memory)), gate_(std::move(gate)) {}

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& /*context*/) override {
    hang(key);
    return memory_->get(key, range, test_context());
  }
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& /*context*/) override {
    hang(key);
    return memory_->put_if_absent(key, bytes, test_context());
  }
  Result<ObjectInfo> head(const std::string& key, const RequestContext& /*context*/) override {
    hang(key);
    return memory_->head(key, test_context());
  }
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& /*context*/) override {
    hang(prefix);
    return memory_->list(prefix, start_after, limit, test_context());
  }
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& /*context*/) override {
    hang(keys.front());
    return memory_->remove(keys, test_context());
  }
  [[nodiscard]] std::string describe() const override { return "hanging"; }
  [[nodiscard]] ObjectWay way() const override { return {}; }

 private:
  void hang(const std::string& key) {
    if (key.starts_with("stuck")) (void)gate_->pass(test_context());
  }

  const std::shared_ptr<MemoryObjectStore> memory_;
  const std::shared_ptr<Gate> gate_;
};

class Detached : public testing::Test {
 protected:
  ~Detached() override { gate_->open(); }

  DetachedObjectStore& make_store(size_t threads, std::chrono::nanoseconds end_grace = std::chrono::seconds(20)) {
    store_ = std::make_unique<DetachedObjectStore>(std::make_unique<HangingObjectStore>(memory_, gate_),
                                                   DetachedObjectStore::Options{threads, end_grace});
    return *store_;
  }
  static RequestContext soon() { return RequestContext::within(std::chrono::milliseconds(5)); }
  // Leaves a call behind that hangs on one of the store's threads.
  void get_stuck(DetachedObjectStore& store, const std::string& key) {
    ASSERT_EQ(store.head(key, soon()).error().code(), Errc::deadline_exceeded);
    ASSERT_TRUE(gate_->wait_for_arrivals(++stuck_));
  }

  const std::shared_ptr<MemoryObjectStore> memory_ = std::make_shared<MemoryObjectStore>();
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  size_t stuck_ = 0;
  std::unique_ptr<DetachedObjectStore> store_;
};

TEST_F(Detached, an_interrupted_caller_leaves_a_call_that_hangs) {
  DetachedObjectStore& store = make_store(1);
  std::stop_source owner;
  const std::jthread stopper([&] {
    EXPECT_TRUE(gate_->wait_for_arrivals(1));
    owner.request_stop();
  });
  const auto context = RequestContext::within(std::chrono::hours(1), Cause::demand, owner.get_token());
  EXPECT_EQ(store.get("stuck", {}, context).error().code(), Errc::cancelled);
}

TEST_F(Detached, a_caller_leaves_every_kind_of_call_at_its_deadline) {
  DetachedObjectStore& store = make_store(5);
  EXPECT_EQ(store.get("stuck", {}, soon()).error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(store.put_if_absent("stuck", as_bytes("v"), soon()).error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(store.head("stuck", soon()).error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(store.list("stuck", "", 1, soon()).error().code(), Errc::deadline_exceeded);
  EXPECT_EQ(store.remove({"stuck"}, soon()).error().code(), Errc::deadline_exceeded);
}

TEST_F(Detached, an_abandoned_put_happens_with_the_bytes_it_was_given) {
  DetachedObjectStore& store = make_store(1);
  {
    std::string bytes = "as they were";
    EXPECT_EQ(store.put_if_absent("stuck", as_bytes(bytes), soon()).error().code(), Errc::deadline_exceeded);
    bytes.assign(bytes.size(), 'x');
  }
  ASSERT_TRUE(gate_->wait_for_arrivals(1));
  gate_->open();
  const auto found = store.get("stuck", {}, test_context());  // one thread: after the put
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_EQ(as_text(found->view()), "as they were");
}

TEST_F(Detached, one_call_that_hangs_leaves_the_other_threads_at_work) {
  DetachedObjectStore& store = make_store(2);
  get_stuck(store, "stuck");
  ASSERT_TRUE(store.put_if_absent("key", as_bytes("v"), test_context()));
  EXPECT_TRUE(store.head("key", test_context()));
}

TEST_F(Detached, calls_wait_for_a_free_thread_within_their_contexts) {
  DetachedObjectStore& store = make_store(2);
  get_stuck(store, "stuck1");
  get_stuck(store, "stuck2");
  EXPECT_EQ(store.head("key", soon()).error().code(), Errc::deadline_exceeded);
  std::stop_source stopped;
  stopped.request_stop();
  const auto interrupted = RequestContext::within(std::chrono::hours(1), Cause::demand, stopped.get_token());
  EXPECT_EQ(store.head("key", interrupted).error().code(), Errc::cancelled);
  std::jthread patient([&] { EXPECT_EQ(store.head("key", test_context()).error().code(), Errc::not_found); });
  gate_->open();
}

TEST_F(Detached, the_destructor_leaves_stuck_threads_behind) {
  get_stuck(make_store(2, std::chrono::milliseconds(1)), "stuck");
  store_.reset();
  gate_->open();
  while (memory_.use_count() > 1) std::this_thread::yield();  // the last one takes the inner store along
}

TEST_F(Detached, the_destructor_waits_for_calls_that_end_in_time) {
  DetachedObjectStore& store = make_store(2);
  EXPECT_FALSE(store.put_if_absent("stuck", as_bytes("v"), soon()));
  ASSERT_TRUE(gate_->wait_for_arrivals(1));
  gate_->open();
  store_.reset();
  EXPECT_EQ(memory_.use_count(), 1);
  EXPECT_TRUE(memory_->head("stuck", test_context()));
}

}  // namespace cairn
