// Counting: what was asked of a store, for whom, and how long it took.
#pragma once

#include <array>
#include <atomic>

#include "base/clock.h"
#include "remote/object_operation.h"
#include "remote/object_store.h"

namespace cairn {

inline constexpr size_t kCauseCount = static_cast<size_t>(Cause::maintenance) + 1;

struct OperationMetrics {
  uint64_t requests = 0;
  uint64_t errors = 0;  // not_found and already_exists are answers, not errors
  uint64_t bytes = 0;   // received by gets, stored by puts that were first
  std::chrono::nanoseconds latency_sum{0};
  std::chrono::nanoseconds latency_max{0};

  void add(const OperationMetrics& other);
};

// Monotonic since the start.
struct ObjectStoreMetrics {
  std::array<std::array<OperationMetrics, kCauseCount>, kObjectOperations.size()> by_operation_and_cause{};

  [[nodiscard]] const OperationMetrics& of(ObjectOperation operation, Cause cause) const;
  [[nodiscard]] OperationMetrics of(ObjectOperation operation) const;
  [[nodiscard]] OperationMetrics total() const;
};

// Thread-safety: all methods may be called from any thread; counting takes no lock.
// Ownership: `inner` and `clock` are borrowed and outlive this object.
// Failures: those of `inner`, unchanged.
class MeteredObjectStore final : public ObjectStore {
 public:
  MeteredObjectStore(ObjectStore& inner, const Clock& clock) : inner_(inner), clock_(clock) {}

  // Each number is exact; numbers of requests that end meanwhile may be in one and not yet in another.
  [[nodiscard]] ObjectStoreMetrics snapshot() const;

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return inner_.way(); }

 private:
  struct Counters {
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> errors{0};
    std::atomic<uint64_t> bytes{0};
    std::atomic<int64_t> latency_sum{0};  // nanoseconds
    std::atomic<int64_t> latency_max{0};  // nanoseconds
  };

  // Runs `call` and counts it; `bytes_of(value)` is what its success moved.
  template <class Call, class BytesOf>
  auto measure(ObjectOperation operation, const RequestContext& context, Call call, BytesOf bytes_of)
      -> decltype(call());
  Counters& counters(ObjectOperation operation, Cause cause);

  ObjectStore& inner_;
  const Clock& clock_;
  std::array<std::array<Counters, kCauseCount>, kObjectOperations.size()> counters_;
};

}  // namespace cairn
