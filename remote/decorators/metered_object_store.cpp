#include "remote/decorators/metered_object_store.h"

#include <algorithm>

namespace cairn {

namespace {

bool is_fault(const Error& error) { return error.code() != Errc::not_found && error.code() != Errc::already_exists; }

void raise_to(std::atomic<int64_t>& maximum, int64_t value) {
  int64_t seen = maximum;
  while (seen < value && !maximum.compare_exchange_weak(seen, value)) {
  }
}

constexpr auto kMovesNothing = [](const auto&...) { return uint64_t{0}; };

}  // namespace

void OperationMetrics::add(const OperationMetrics& other) {
  requests += other.requests;
  errors += other.errors;
  bytes += other.bytes;
  latency_sum += other.latency_sum;
  latency_max = std::max(latency_max, other.latency_max);
}

const OperationMetrics& ObjectStoreMetrics::of(ObjectOperation operation, Cause cause) const {
  return by_operation_and_cause[static_cast<size_t>(operation)][static_cast<size_t>(cause)];
}

OperationMetrics ObjectStoreMetrics::of(ObjectOperation operation) const {
  OperationMetrics sum;
  for (const OperationMetrics& one : by_operation_and_cause[static_cast<size_t>(operation)]) sum.add(one);
  return sum;
}

OperationMetrics ObjectStoreMetrics::total() const {
  OperationMetrics sum;
  for (const ObjectOperation operation : kObjectOperations) sum.add(of(operation));
  return sum;
}

ObjectStoreMetrics MeteredObjectStore::snapshot() const {
  ObjectStoreMetrics metrics;
  for (size_t operation = 0; operation < counters_.size(); ++operation) {
    for (size_t cause = 0; cause < kCauseCount; ++cause) {
      const Counters& from = counters_[operation][cause];
      metrics.by_operation_and_cause[operation][cause] = {from.requests, from.errors, from.bytes,
                                                          std::chrono::nanoseconds(from.latency_sum),
                                                          std::chrono::nanoseconds(from.latency_max)};
    }
  }
  return metrics;
}

MeteredObjectStore::Counters& MeteredObjectStore::counters(ObjectOperation operation, Cause cause) {
  return counters_[static_cast<size_t>(operation)][static_cast<size_t>(cause)];
}

template <class Call, class BytesOf>
auto MeteredObjectStore::measure(ObjectOperation operation, const RequestContext& context, Call call, BytesOf bytes_of)
    -> decltype(call()) {
  Counters& counted = counters(operation, context.cause);
  const SteadyTime start = clock_.steady_now();
  auto result = call();
  const int64_t took = std::chrono::nanoseconds(clock_.steady_now() - start).count();
  ++counted.requests;
  counted.latency_sum += took;
  raise_to(counted.latency_max, took);
  if (result) {
    counted.bytes += bytes_of(result);
  } else if (is_fault(result.error())) {
    ++counted.errors;
  }
  return result;
}

Result<Buffer> MeteredObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  return measure(
      ObjectOperation::get, context, [&] { return inner_.get(key, range, context); },
      [](const Result<Buffer>& bytes) { return bytes->size(); });
}

Result<void> MeteredObjectStore::put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) {
  return measure(
      ObjectOperation::put_if_absent, context, [&] { return inner_.put_if_absent(key, bytes, context); },
      [&](const Result<void>&) { return bytes.size(); });
}

Result<ObjectInfo> MeteredObjectStore::head(const std::string& key, const RequestContext& context) {
  return measure(
      ObjectOperation::head, context, [&] { return inner_.head(key, context); }, kMovesNothing);
}

Result<ListPage> MeteredObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                          const RequestContext& context) {
  return measure(
      ObjectOperation::list, context, [&] { return inner_.list(prefix, start_after, limit, context); }, kMovesNothing);
}

Result<void> MeteredObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  return measure(
      ObjectOperation::remove, context, [&] { return inner_.remove(keys, context); }, kMovesNothing);
}

}  // namespace cairn
