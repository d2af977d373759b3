// Detachment: a call that hangs in the system does not hold up its caller.
#pragma once

#include <chrono>
#include <memory>

#include "remote/object_store.h"

namespace cairn {

// Runs every call on one of a fixed number of threads. When the context of the caller ends, the caller leaves, and the
// call runs on by itself: nobody can take a thread out of a system call that waits for a dead server. What such a call
// answers in the end is dropped; until then its thread is missing. When all are, calls wait for one within their
// contexts.
//
// Thread-safety: all methods may be called from any thread.
// Ownership: owns `inner`. The destructor waits for `end_grace`, then leaves threads that are stuck, and `inner` with
//   them, to themselves: `inner` must borrow nothing that goes away.
// Failures: those of `inner`; cancelled and deadline_exceeded as soon as they hold, and then a put or a remove may
//   happen still.
class DetachedObjectStore final : public ObjectStore {
 public:
  struct Options {
    size_t threads = 32;
    std::chrono::nanoseconds end_grace{std::chrono::seconds(2)};
  };
  DetachedObjectStore(std::unique_ptr<ObjectStore> inner, const Options& options);
  ~DetachedObjectStore() override;
  DetachedObjectStore(const DetachedObjectStore&) = delete;
  DetachedObjectStore& operator=(const DetachedObjectStore&) = delete;

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  // Copies `bytes`, which the caller may take along when it leaves: half a millisecond for a chunk, where syncing one
  // takes several.
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return description_; }
  [[nodiscard]] ObjectWay way() const override { return way_; }

 private:
  class Crew;

  const std::string description_;
  const ObjectWay way_;
  const std::chrono::nanoseconds end_grace_;
  const std::shared_ptr<Crew> crew_;  // shared with its threads
};

}  // namespace cairn
