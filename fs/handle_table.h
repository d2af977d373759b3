// Open files and directories by the numbers that the kernel knows them by.
#pragma once

#include <cerrno>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/mutex.h"
#include "base/posix_error.h"
#include "fs/node_id.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread.
// Failures: EBADF for a number that names nothing.
template <class T>
class HandleTable {
 public:
  HandleId add(std::shared_ptr<T> opened) {
    const WriterLock lock(mutex_);
    opened_.emplace(++last_, std::move(opened));
    return last_;
  }

  [[nodiscard]] Result<std::shared_ptr<T>> find(HandleId handle) const {
    const ReaderLock lock(mutex_);
    const auto found = opened_.find(handle);
    if (found == opened_.end()) return fail_posix(EBADF, "no handle {}", handle);
    return found->second;
  }

  // nullptr if there is none.
  std::shared_ptr<T> take(HandleId handle) {
    const WriterLock lock(mutex_);
    auto node = opened_.extract(handle);
    return node ? std::move(node.mapped()) : nullptr;
  }

  [[nodiscard]] size_t size() const {
    const ReaderLock lock(mutex_);
    return opened_.size();
  }

 private:
  mutable SharedMutex mutex_;
  HandleId last_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::unordered_map<HandleId, std::shared_ptr<T>> opened_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
