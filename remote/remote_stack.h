// A store with everything around it that makes a network bearable.
#pragma once

#include <memory>
#include <optional>

#include "remote/decorators/hedged_object_store.h"
#include "remote/decorators/limited_object_store.h"
#include "remote/decorators/metered_object_store.h"
#include "remote/decorators/retrying_object_store.h"
#include "remote/object_store.h"

namespace cairn {

// retried( limited( hedged( metered( bare )))), hedged only if the options say so. A retry waits outside the limit, so
// that it takes no room there, and the metrics are those of the store itself, without the queue before it. What
// open_object_store() has put around `bare` already (DetachedObjectStore) stays inside of all of these.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: owns `bare`; `clock` and `random` are borrowed and outlive this object.
class RemoteStack {
 public:
  struct Options {
    RetryPolicy retry{};
    ObjectStoreLimits limits{};
    std::optional<HedgePolicy> hedge{};  // nullopt: a slow get is waited for
  };
  RemoteStack(std::unique_ptr<ObjectStore> bare, const Options& options, const Clock& clock, Random& random)
      : bare_(std::move(bare)),
        metered_(*bare_, clock),
        hedged_(options.hedge ? std::make_unique<HedgedObjectStore>(metered_, *options.hedge, clock) : nullptr),
        limited_(hedged_ ? static_cast<ObjectStore&>(*hedged_) : metered_, options.limits),
        retrying_(limited_, options.retry, random) {}

  [[nodiscard]] ObjectStore& objects() { return retrying_; }
  [[nodiscard]] ObjectStoreMetrics metrics() const { return metered_.snapshot(); }
  [[nodiscard]] uint64_t retries() const { return retrying_.retries(); }
  [[nodiscard]] uint64_t hedges() const { return hedged_ ? hedged_->hedges() : 0; }
  [[nodiscard]] uint64_t hedges_won() const { return hedged_ ? hedged_->hedges_won() : 0; }
  [[nodiscard]] size_t waiting() const { return limited_.waiting(); }
  [[nodiscard]] size_t window() const { return limited_.window(); }

 private:
  const std::unique_ptr<ObjectStore> bare_;
  MeteredObjectStore metered_;
  const std::unique_ptr<HedgedObjectStore> hedged_;
  LimitedObjectStore limited_;
  RetryingObjectStore retrying_;
};

}  // namespace cairn
