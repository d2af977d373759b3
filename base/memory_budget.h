// The bound on buffer memory: promise 8 of docs/semantics.md.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

#include "base/request_context.h"

namespace cairn {

// A counting semaphore over bytes. Chunk buffers are taken from it before they are allocated and given back
// when they are freed.
// Thread-safety: all methods may be called from any thread.
// Ownership: a Lease keeps a pointer to its budget, which must outlive it.
class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t limit_bytes) : limit_(limit_bytes) {}

  // Move-only; gives its bytes back when it goes.
  class Lease {
   public:
    Lease() = default;
    Lease(MemoryBudget* budget, uint64_t size_bytes) : budget_(budget), size_(size_bytes) {}
    Lease(Lease&& other) noexcept { *this = std::move(other); }
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { release(); }
    void release();
    // Gives back what is over `size_bytes`.
    void shrink_to(uint64_t size_bytes);
    [[nodiscard]] uint64_t size_bytes() const { return size_; }

   private:
    MemoryBudget* budget_ = nullptr;
    uint64_t size_ = 0;
  };

  // Waits until `size_bytes` fit. A request larger than the whole budget is granted alone, once nothing else is held.
  // The reclaimer, if set, is called (without locks) whenever the request does not fit.
  // Failures: cancelled, deadline_exceeded.
  Result<Lease> acquire(uint64_t size_bytes, const RequestContext& context);
  // The same without waiting; `no_space` when it does not fit now.
  Result<Lease> try_acquire(uint64_t size_bytes);

  // What to call to free idle buffers; set once, before first use.
  void set_reclaimer(std::function<void(uint64_t wanted_bytes)> reclaim) { reclaim_ = std::move(reclaim); }

  [[nodiscard]] uint64_t limit_bytes() const { return limit_; }
  [[nodiscard]] uint64_t used_bytes() const;
  [[nodiscard]] uint64_t peak_bytes() const;
  // Somebody waits in acquire(): not the time to keep idle buffers.
  [[nodiscard]] bool contended() const;

 private:
  bool fits(uint64_t size_bytes) const { return used_ == 0 || used_ + size_bytes <= limit_; }
  void take(uint64_t size_bytes);
  void give_back(uint64_t size_bytes);

  const uint64_t limit_;
  std::function<void(uint64_t)> reclaim_;
  mutable std::mutex mutex_;
  std::condition_variable_any freed_;
  uint64_t used_ = 0;   // guarded by mutex_
  uint64_t peak_ = 0;   // guarded by mutex_
  size_t waiting_ = 0;  // guarded by mutex_; counts from before the reclaimer is asked
};

}  // namespace cairn
