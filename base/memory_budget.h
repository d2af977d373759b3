// The bound on buffer memory: promise 8 of docs/semantics.md.
#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include "base/request_context.h"
#include "base/wait.h"

namespace cairn {

// A counting semaphore over bytes. Chunk buffers are taken from it before they are allocated and given back
// when they are freed. First come, first served: neither do small requests overtake a large one for ever, nor the other
// way round.
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

  // While one lives, what its thread asks for goes before all that wait. For whoever must wait for memory while he
  // holds some: those who wait may be waiting for that. Only one thread at a time may be in that position.
  class Ahead {
   public:
    Ahead();
    ~Ahead();
    Ahead(const Ahead&) = delete;
    Ahead& operator=(const Ahead&) = delete;
  };

  // Waits for those who came before, and until `size_bytes` fit. A request larger than the whole budget is granted
  // alone, once nothing else is held. The reclaimer, if set, is called (without locks) whenever the request does not
  // fit. Failures: cancelled, deadline_exceeded.
  Result<Lease> acquire(uint64_t size_bytes, const RequestContext& context);
  // The same without waiting; `no_space` when it does not fit now, or others wait.
  Result<Lease> try_acquire(uint64_t size_bytes);

  // What to call to free idle buffers; set once, before first use.
  void set_reclaimer(std::function<void(uint64_t wanted_bytes)> reclaim) { reclaim_ = std::move(reclaim); }

  [[nodiscard]] uint64_t limit_bytes() const { return limit_; }
  [[nodiscard]] uint64_t used_bytes() const;
  [[nodiscard]] uint64_t peak_bytes() const;
  // Somebody waits in acquire(): not the time to keep idle buffers.
  [[nodiscard]] bool contended() const;

 private:
  bool fits(uint64_t size_bytes) const CAIRN_REQUIRES(mutex_) { return used_ == 0 || used_ + size_bytes <= limit_; }
  void take(uint64_t size_bytes) CAIRN_REQUIRES(mutex_);
  void give_back(uint64_t size_bytes);

  const uint64_t limit_;
  std::function<void(uint64_t)> reclaim_;
  mutable Mutex mutex_;
  Condition freed_;
  uint64_t used_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t peak_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::list<uint64_t> waiting_ CAIRN_GUARDED_BY(mutex_);  // sizes, the next first; from before the reclaimer is asked
};

}  // namespace cairn
