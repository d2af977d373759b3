// From a URL to a store.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "remote/hedged_object_store.h"
#include "remote/limited_object_store.h"
#include "remote/metered_object_store.h"
#include "remote/object_store.h"
#include "remote/retrying_object_store.h"

namespace cairn {

struct OpenObjectStoreOptions {
  bool read_only = false;
  bool create = false;                                 // make an empty place for a new store if there is none
  size_t operations = ObjectStoreLimits{}.operations;  // that the store can have under way at once
  std::chrono::nanoseconds timeout{std::chrono::seconds(30)};
};

// "dir:PATH": a relative PATH is seen from the current directory, now; the calls are detached, so that none outlasts
// its context. "s3://BUCKET/PREFIX?…": see remote/s3/s3_location.h; nothing is asked of the endpoint yet. Nothing is
// retried, limited or counted yet: that is what RemoteStack is for. Failures: invalid_argument (no URL), unsupported (a
// scheme this build does not know), deadline_exceeded (the directory's file system hangs), and those of the store's
// open.
Result<std::unique_ptr<ObjectStore>> open_object_store(const std::string& url, const OpenObjectStoreOptions& options);

// Whether somebody else's service over a network is behind the URL, and not this machine's kernel: what it promises is
// to be proven (prove_atomic_create), and one answer may come much later than the others (HedgePolicy).
[[nodiscard]] bool is_endpoint(const std::string& url);

// A store with all its decorators, as a daemon uses it: retried( limited( hedged( metered( bare )))). A retry waits
// outside the limit, and what is measured is the store itself, not the queue before it. Thread-safety: objects() and
// its users may be called from any thread. Ownership: owns `bare`; `clock` and `random` are borrowed and outlive this
// object.
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
