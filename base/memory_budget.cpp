#include "base/memory_budget.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/work_slots.h"

namespace cairn {

namespace {

thread_local unsigned t_ahead = 0;

}  // namespace

MemoryBudget::Ahead::Ahead() { ++t_ahead; }

MemoryBudget::Ahead::~Ahead() { --t_ahead; }

MemoryBudget::Lease& MemoryBudget::Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  release();
  budget_ = std::exchange(other.budget_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void MemoryBudget::Lease::release() {
  if (budget_ != nullptr) budget_->give_back(size_);
  budget_ = nullptr;
  size_ = 0;
}

void MemoryBudget::Lease::shrink_to(uint64_t size_bytes) {
  check(size_bytes <= size_, "a lease only shrinks");
  if (budget_ != nullptr) budget_->give_back(size_ - size_bytes);
  size_ = size_bytes;
}

Result<MemoryBudget::Lease> MemoryBudget::acquire(uint64_t size_bytes, const RequestContext& context) {
  MutexLock lock(mutex_);
  const auto place = waiting_.insert(t_ahead > 0 ? waiting_.begin() : waiting_.end(), size_bytes);
  if (!fits(size_bytes) && reclaim_) {
    lock.unlock();
    reclaim_(size_bytes);
    lock.lock();
  }
  const WithoutSlot waiting;
  auto granted = freed_.wait(lock, context,
                             [&]() CAIRN_REQUIRES(mutex_) { return place == waiting_.begin() && fits(size_bytes); });
  waiting_.erase(place);
  freed_.notify_all();  // the next one's turn
  if (!granted) return fail(granted.error().in("wait for buffer memory"));
  take(size_bytes);
  return Lease(this, size_bytes);
}

Result<MemoryBudget::Lease> MemoryBudget::try_acquire(uint64_t size_bytes) {
  const MutexLock lock(mutex_);
  if (!waiting_.empty() || !fits(size_bytes))
    return fail(Errc::no_space, "the memory budget of {} bytes is in use", limit_);
  take(size_bytes);
  return Lease(this, size_bytes);
}

uint64_t MemoryBudget::used_bytes() const {
  const MutexLock lock(mutex_);
  return used_;
}

uint64_t MemoryBudget::peak_bytes() const {
  const MutexLock lock(mutex_);
  return peak_;
}

bool MemoryBudget::contended() const {
  const MutexLock lock(mutex_);
  return !waiting_.empty();
}

void MemoryBudget::take(uint64_t size_bytes) {
  used_ += size_bytes;
  peak_ = std::max(peak_, used_);
}

void MemoryBudget::give_back(uint64_t size_bytes) {
  // Notified under the lock: once it is free, whoever waited for the last lease may end this budget.
  const MutexLock lock(mutex_);
  check(used_ >= size_bytes, "a lease gives back only what it took");
  used_ -= size_bytes;
  freed_.notify_all();
}

}  // namespace cairn
