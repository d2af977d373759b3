#include "base/block_pool.h"

#include <sys/mman.h>

#include <vector>

#include "base/check.h"
#include "base/mutex.h"

namespace cairn {

namespace {

constexpr size_t kSmallestPooled = 2 << 20;
constexpr size_t kBlockBytes = (4 << 20) + (64 << 10);  // a whole chunk with what its object has around it

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kMostFree = 0;
#elif defined(__has_feature)
constexpr size_t kMostFree = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ? 0 : 16;
#else
constexpr size_t kMostFree = 16;
#endif

class BlockPool {
 public:
  std::byte* take() {
    {
      const MutexLock lock(mutex_);
      if (!free_.empty()) {
        std::byte* block = free_.back();
        free_.pop_back();
        return block;
      }
    }
    void* mapped = ::mmap(nullptr, kBlockBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(mapped != MAP_FAILED, "there is memory for a buffer");
    ::madvise(mapped, kBlockBytes, MADV_HUGEPAGE);
    ::madvise(mapped, kBlockBytes, MADV_DONTDUMP);  // everybody's bytes
    return static_cast<std::byte*>(mapped);
  }

  void give_back(std::byte* block) {
    {
      const MutexLock lock(mutex_);
      if (free_.size() < kMostFree) {
        free_.push_back(block);
        return;
      }
    }
    ::munmap(block, kBlockBytes);
  }

 private:
  Mutex mutex_;
  std::vector<std::byte*> free_ CAIRN_GUARDED_BY(mutex_);
};

// Never destroyed: buffers may outlive every static.
BlockPool& pool() {
  static auto* const pool = new BlockPool();
  return *pool;
}

}  // namespace

void BlockDeleter::operator()(std::byte* block) const {
  if (is_pooled) {
    pool().give_back(block);
  } else {
    delete[] block;
  }
}

Block allocate_block(size_t size_bytes) {
  if (kMostFree > 0 && size_bytes >= kSmallestPooled && size_bytes <= kBlockBytes) {
    return {pool().take(), BlockDeleter{.is_pooled = true}};
  }
  return {new std::byte[size_bytes], BlockDeleter{}};
}

}  // namespace cairn
