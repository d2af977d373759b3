// A store in this process's memory.
#pragma once

#include <map>

#include "base/mutex.h"
#include "remote/object_store.h"

namespace cairn {

// The simplest ObjectStore that keeps the contract: for tests, and the reference for the others.
// Thread-safety: all methods may be called from any thread. Ownership: borrows the clock that it dates objects by.
// Durability: none beyond the process.
class MemoryObjectStore final : public ObjectStore {
 public:
  explicit MemoryObjectStore(std::string name = "test", const Clock& clock = system_clock())
      : name_(std::move(name)), clock_(clock) {}

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return "mem:" + name_; }
  [[nodiscard]] ObjectWay way() const override { return {true, "this process's memory"}; }

 private:
  struct Object {
    SharedBuffer bytes;  // shared so that they can be copied without the lock
    Nanos created = 0;
  };
  Result<Object> find(const std::string& key, const RequestContext& context) const;

  const std::string name_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<std::string, Object, std::less<>> objects_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
