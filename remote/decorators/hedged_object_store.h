// Impatience: a get that takes far longer than its peers is asked for once more.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/thread.h"
#include "base/wait.h"
#include "remote/decorators/latency_history.h"
#include "remote/object_store.h"

namespace cairn {

struct HedgePolicy {
  // A second get begins once the first has taken `factor` times as long as nine of ten recent gets did, and no sooner
  // than after `least_wait`. Only gets of keys with the same first name ("chunks/…") are compared.
  uint32_t factor = 3;
  std::chrono::nanoseconds least_wait{std::chrono::milliseconds(100)};
  // At most one of `gets_per_hedge` gets gets a second one, and `burst` in a row may: an endpoint that is slow as a
  // whole is not asked for twice the work.
  uint32_t gets_per_hedge = 20;
  uint32_t burst = 4;
};

// The first of the two gets to succeed is the answer; the other is stopped.
// Source: J. Dean, L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: `inner` and `clock` are borrowed and outlive this object. No get may be under way at destruction.
// Failures: those of `inner`; if both gets of a race fail, the failure of the first.
class HedgedObjectStore final : public ObjectStore {
 public:
  HedgedObjectStore(ObjectStore& inner, HedgePolicy policy, const Clock& clock);
  ~HedgedObjectStore() override;

  // How many second gets were begun, and how many of their answers were used.
  [[nodiscard]] uint64_t hedges() const { return hedges_; }
  [[nodiscard]] uint64_t hedges_won() const { return hedges_won_; }

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override {
    return inner_.put_if_absent(key, bytes, context);
  }
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override {
    return inner_.head(key, context);
  }
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override {
    return inner_.list(prefix, start_after, limit, context);
  }
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override {
    return inner_.remove(keys, context);
  }
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return inner_.way(); }

 private:
  class Race;
  using Schedule = std::multimap<SteadyTime, std::shared_ptr<Race>>;

  Result<Buffer> run_race(const std::shared_ptr<Race>& race, std::chrono::nanoseconds wait);
  void watch(const std::stop_token& stop);
  // Begins the second get of `race`, if the policy has one left.
  void hedge(const std::shared_ptr<Race>& race);
  bool spend_hedge();
  void earn_back();

  ObjectStore& inner_;
  const HedgePolicy policy_;
  const Clock& clock_;
  LatencyHistory history_;
  std::atomic<uint32_t> credit_;  // each get earns 1, a second get costs gets_per_hedge
  std::atomic<uint64_t> hedges_{0};
  std::atomic<uint64_t> hedges_won_{0};

  Mutex mutex_;
  Condition changed_;
  Schedule schedule_ CAIRN_GUARDED_BY(mutex_);  // the races with one get, by the time at which the second begins

  Executor second_gets_;
  Thread watcher_;  // last: it ends first, as it uses all of the above
};

}  // namespace cairn
