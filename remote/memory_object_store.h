// A store in this process's memory.
#pragma once

#include <map>

#include "base/mutex.h"
#include "remote/object_store.h"

namespace cairn {

// The simplest ObjectStore that keeps the contract: for tests, and the reference for the others.
// Thread-safety: all methods may be called from any thread.
// Durability: none beyond the process.
class MemoryObjectStore final : public ObjectStore {
 public:
  explicit MemoryObjectStore(std::string name = "test") : name_(std::move(name)) {}

  Result<Buffer> get(const std::string& key, ByteRange range, const RequestContext& context) override;
  Result<void> put_if_absent(const std::string& key, ByteView bytes, const RequestContext& context) override;
  Result<ObjectInfo> head(const std::string& key, const RequestContext& context) override;
  Result<ListPage> list(const std::string& prefix, const std::string& start_after, size_t limit,
                        const RequestContext& context) override;
  Result<void> remove(const std::vector<std::string>& keys, const RequestContext& context) override;
  [[nodiscard]] std::string describe() const override { return "mem:" + name_; }

 private:
  // The object under `key`, shared so that its bytes can be copied without the lock.
  Result<SharedBuffer> find(const std::string& key, const RequestContext& context) const;

  const std::string name_;
  mutable Mutex mutex_;
  std::map<std::string, SharedBuffer, std::less<>> objects_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
