#include "remote/decorators/retrying_object_store.h"

#include <algorithm>

#include "base/work_slots.h"

namespace cairn {

namespace {

constexpr int64_t kTenthsPerRetry = 10;

// Answers that say all there is to say of the attempts before: that they may have happened, or that none can have.
bool is_whole_truth(Errc code) {
  return code == Errc::unavailable || code == Errc::deadline_exceeded || code == Errc::cancelled ||
         code == Errc::invalid_argument;
}

}  // namespace

RetryingObjectStore::RetryingObjectStore(ObjectStore& inner, RetryPolicy policy, Random& random, Wait wait)
    : inner_(inner),
      policy_(policy),
      random_(random),
      wait_(std::move(wait)),
      budget_tenths_(policy.budget * kTenthsPerRetry) {}

bool RetryingObjectStore::spend_retry() {
  int64_t tenths = budget_tenths_;
  while (tenths >= kTenthsPerRetry) {
    if (budget_tenths_.compare_exchange_weak(tenths, tenths - kTenthsPerRetry)) return true;
  }
  return false;
}

void RetryingObjectStore::earn_back() {
  int64_t tenths = budget_tenths_;
  while (tenths < policy_.budget * kTenthsPerRetry) {
    if (budget_tenths_.compare_exchange_weak(tenths, tenths + 1)) return;
  }
}

std::chrono::nanoseconds RetryingObjectStore::draw_wait(uint32_t attempt) {
  std::chrono::nanoseconds ceiling = std::min(policy_.first_wait, policy_.longest_wait);
  for (uint32_t i = 1; i < attempt && ceiling < policy_.longest_wait; ++i) {
    ceiling = std::min(ceiling * 2, policy_.longest_wait);
  }
  const auto choices = static_cast<uint64_t>(ceiling.count()) + 1;
  return std::chrono::nanoseconds(static_cast<int64_t>(random_.next_u64() % choices));
}

Result<void> RetryingObjectStore::wait_after(uint32_t attempt, const Error& last, const RequestContext& context) {
  const auto give_up = [&](std::string_view why) {
    return fail(last.in(fmt::format("tried {} times ({})", attempt, why)));
  };
  if (attempt >= policy_.attempts) return give_up("the most allowed");
  const std::chrono::nanoseconds wait = draw_wait(attempt);
  if (wait >= context.remaining()) return give_up("the deadline is near");
  if (!spend_retry()) return give_up("too many retries of late");
  ++retries_;
  if (auto waited = wait_(wait, context); !waited) return fail(waited.error().in(last.message()));
  return {};
}

template <class Attempt>
auto RetryingObjectStore::persist(const RequestContext& context, Attempt attempt) -> decltype(attempt(1U)) {
  const WithoutSlot waiting;
  if (auto live = context.check(); !live) return fail(std::move(live).error());
  for (uint32_t number = 1;; ++number) {
    auto result = attempt(number);
    if (result || result.error().code() != Errc::unavailable) {
      earn_back();
      return result;
    }
    if (auto waited = wait_after(number, result.error(), context); !waited) return fail(std::move(waited).error());
  }
}

Result<Buffer> RetryingObjectStore::get(const std::string& key, ByteRange range, const RequestContext& context) {
  return persist(context, [&](uint32_t) { return inner_.get(key, range, context); });
}

Result<void> RetryingObjectStore::put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) {
  bool may_have_put = false;
  const auto put = persist(context, [&](uint32_t) {
    auto tried = inner_.put_if_absent(key, bytes, context);
    const bool is_silence = !tried && tried.error().code() == Errc::unavailable;
    may_have_put = may_have_put || is_silence;
    return tried;
  });
  if (put || !may_have_put || is_whole_truth(put.error().code())) return put;
  return look_for_own_put(key, bytes, put.error(), context);
}

// What the store says now is about this attempt alone. Where the object is not there (yet), an earlier attempt may
// still arrive, so that a refusal is not the whole truth: the caller hears that the put may have been made.
Result<void> RetryingObjectStore::look_for_own_put(const std::string& key, ByteView bytes, const Error& answer,
                                                   const RequestContext& context) {
  const auto stored = get(key, {}, context);
  if (stored && as_text(stored->view()) == as_text(bytes)) return {};
  if (stored) return fail(Errc::already_exists, "{}: taken by another: {}", key, answer.message());
  const bool is_taken = answer.code() == Errc::already_exists;
  if (is_taken) return fail(stored.error().in(answer.message()));
  return fail(Errc::unavailable, "a put that may have been made or not: {}", answer.to_string());
}

Result<ObjectInfo> RetryingObjectStore::head(const std::string& key, const RequestContext& context) {
  return persist(context, [&](uint32_t) { return inner_.head(key, context); });
}

Result<ListPage> RetryingObjectStore::list(const std::string& prefix, const std::string& start_after, size_t limit,
                                           const RequestContext& context) {
  return persist(context, [&](uint32_t) { return inner_.list(prefix, start_after, limit, context); });
}

Result<void> RetryingObjectStore::remove(const std::vector<std::string>& keys, const RequestContext& context) {
  return persist(context, [&](uint32_t) { return inner_.remove(keys, context); });
}

}  // namespace cairn
