// Patience: passing faults of a store are tried again.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

#include "base/random.h"
#include "base/wait.h"
#include "remote/object_store.h"

namespace cairn {

// The wait before retry n is drawn evenly from 0 … min(longest_wait, first_wait * 2^(n-1)): "full jitter", so that
// clients which failed together do not come back together.
struct RetryPolicy {
  uint32_t attempts = 8;  // in all, the first included
  std::chrono::nanoseconds first_wait{std::chrono::milliseconds(50)};
  std::chrono::nanoseconds longest_wait{std::chrono::seconds(5)};
  // Retries that may be spent in a row over all callers; a success earns a tenth of one back. Against a store that is
  // down, each caller then soon asks only once.
  uint32_t budget = 100;
};

// Repeats operations that fail with unavailable, and no others, while policy, budget and deadline allow.
//
// A put whose earlier attempt failed may have happened all the same. Whatever a later attempt is told, that the key is
// taken or that the store refuses, the object is then read: if it has the same bytes the put succeeded; if it has
// others somebody else was first; if it is not there, the answer is unavailable, and says what the refusal was.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: `inner` and `random` are borrowed and outlive this object.
// Failures: those of `inner`; unavailable says how often it was tried. Waits end early at the context's stop, and are
//   not begun if they would end past its deadline.
class RetryingObjectStore final : public ObjectStore {
 public:
  // How to wait; the default really does. Failures: cancelled, deadline_exceeded.
  using Wait = std::function<Result<void>(std::chrono::nanoseconds, const RequestContext&)>;

  RetryingObjectStore(ObjectStore& inner, RetryPolicy policy, Random& random, Wait wait = pause);

  // Attempts beyond each operation's first, so far.
  [[nodiscard]] uint64_t retries() const { return retries_; }

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return inner_.describe(); }
  [[nodiscard]] ObjectWay way() const override { return inner_.way(); }

 private:
  // Calls `attempt(number)`, 1 first, until it gives anything but unavailable or patience ends.
  template <class Attempt>
  auto persist(const RequestContext& context, Attempt attempt) -> decltype(attempt(1U));
  // Waits before the attempt after number `attempt`, or says why there is none: `last` or what ended the wait.
  Result<void> wait_after(uint32_t attempt, const Error& last, const RequestContext& context);
  [[nodiscard]] std::chrono::nanoseconds draw_wait(uint32_t attempt);
  // Takes one retry from the budget, if it holds one.
  bool spend_retry();
  void earn_back();
  // The answer of a put that was told `answer` after an earlier attempt of its own may have put `key`.
  Result<void> look_for_own_put(const std::string& key, ByteView bytes, const Error& answer,
                                const RequestContext& context);

  ObjectStore& inner_;
  const RetryPolicy policy_;
  Random& random_;
  const Wait wait_;
  std::atomic<int64_t> budget_tenths_;
  std::atomic<uint64_t> retries_{0};
};

}  // namespace cairn
