#include "fs/fuse/page_pusher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"

namespace cairn {

namespace {

// One call into the kernel: short enough that drain() is, too.
constexpr size_t kPieceBytes = 1U << 20;
// A push waits for reads of the same pages. If every worker waited here, nobody would answer those: better late than
// never.
constexpr std::chrono::seconds kStoreLimit{10};

}  // namespace

PagePusher::PagePusher(Store store, uint64_t queue_bytes, Forget forget)
    : store_(std::move(store)),
      forget_(std::move(forget)),
      queue_limit_(queue_bytes),
      thread_("page pusher", [this](const std::stop_token&) { run(); }) {}

PagePusher::~PagePusher() {
  stop({});
  thread_.join();
}

bool PagePusher::push(NodeId node, uint64_t offset, ByteView bytes, SharedBuffer chunk) {
  {
    const MutexLock lock(mutex_);
    if (stopping_) return false;
    if (queued_bytes_ + bytes.size() > queue_limit_) {
      dropped_bytes_ += bytes.size();
      return false;
    }
    queued_bytes_ += bytes.size();
    queue_.push_back({node, offset, bytes, std::move(chunk)});
  }
  changed_.notify_all();
  return true;
}

void PagePusher::drop_queued(NodeId node) {
  std::erase_if(queue_, [&](const Stretch& stretch) CAIRN_REQUIRES(mutex_) {
    if (stretch.node == node) queued_bytes_ -= stretch.bytes.size();
    return stretch.node == node;
  });
}

void PagePusher::forget(NodeId node, uint64_t from, uint64_t length) {
  MutexLock lock(mutex_);
  if (!forget_ || stopping_) return;
  drop_queued(node);
  if (storing_ == node) abandon_ = true;
  forgetting_.push_back({node, from, length});
  const uint64_t mine = ++forgets_asked_;
  changed_.notify_all();
  const auto is_done = [&]() CAIRN_REQUIRES(mutex_) { return stopping_ || forgets_done_ >= mine; };
  if (changed_.wait_for(lock, {}, kStoreLimit, is_done)) return;
  log::error("node {}: the page cache has not let go of it for {} s", node, kStoreLimit.count());
}

void PagePusher::drain(NodeId node) {
  MutexLock lock(mutex_);
  drop_queued(node);
  if (storing_ != node) return;
  abandon_ = true;
  if (changed_.wait_for(lock, {}, kStoreLimit, [&]() CAIRN_REQUIRES(mutex_) { return storing_ != node; })) return;
  log::error("node {}: a push into the page cache has not ended for {} s", node, kStoreLimit.count());
}

bool PagePusher::stop(std::chrono::nanoseconds patience) {
  MutexLock lock(mutex_);
  stopping_ = true;
  abandon_ = true;
  queue_.clear();
  changed_.notify_all();
  return changed_.wait_for(lock, {}, patience, [this]() CAIRN_REQUIRES(mutex_) { return ended_; });
}

void PagePusher::run() {
  MutexLock lock(mutex_);
  for (;;) {
    changed_.wait(lock,
                  [this]() CAIRN_REQUIRES(mutex_) { return stopping_ || !queue_.empty() || !forgetting_.empty(); });
    if (stopping_) break;
    forgetting_.empty() ? push_next(lock) : forget_first(lock);
    storing_ = 0;
    changed_.notify_all();
  }
  ended_ = true;
  changed_.notify_all();
}

void PagePusher::forget_first(MutexLock& lock) {
  const Forgotten forgotten = forgetting_.front();
  forgetting_.pop_front();
  storing_ = forgotten.node;
  lock.unlock();
  forget_(forgotten.node, forgotten.from, forgotten.length);
  lock.lock();
  ++forgets_done_;
}

void PagePusher::push_next(MutexLock& lock) {
  const Stretch stretch = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= stretch.bytes.size();
  storing_ = stretch.node;
  abandon_ = false;
  lock.unlock();
  store_in_pieces(stretch);
  lock.lock();
}

void PagePusher::store_in_pieces(const Stretch& stretch) {
  for (size_t done = 0; done < stretch.bytes.size(); done += kPieceBytes) {
    const ByteView piece = stretch.bytes.subspan(done, std::min(kPieceBytes, stretch.bytes.size() - done));
    const int error = store_(stretch.node, stretch.offset + done, piece);
    const MutexLock lock(mutex_);
    // The kernel has forgotten the node, or the mount is going: normal, and true for the rest as well.
    if (error != 0) return;
    pushed_bytes_ += piece.size();
    if (abandon_) return;
  }
}

uint64_t PagePusher::pushed_bytes() const {
  const MutexLock lock(mutex_);
  return pushed_bytes_;
}

uint64_t PagePusher::dropped_bytes() const {
  const MutexLock lock(mutex_);
  return dropped_bytes_;
}

}  // namespace cairn
