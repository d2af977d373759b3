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

PagePusher::PagePusher(Store store, uint64_t queue_bytes)
    : store_(std::move(store)),
      queue_limit_(queue_bytes),
      thread_("page pusher", [this](const std::stop_token&) { run(); }) {}

PagePusher::~PagePusher() {
  stop({});
  thread_.join();
}

void PagePusher::push(NodeId node, uint64_t offset, ByteView bytes, SharedBuffer chunk) {
  {
    const MutexLock lock(mutex_);
    if (stopping_) return;
    if (queued_bytes_ + bytes.size() > queue_limit_) {
      dropped_bytes_ += bytes.size();
      return;
    }
    queued_bytes_ += bytes.size();
    queue_.push_back({node, offset, bytes, std::move(chunk)});
  }
  changed_.notify_all();
}

void PagePusher::drain(NodeId node) {
  MutexLock lock(mutex_);
  std::erase_if(queue_, [&](const Stretch& stretch) CAIRN_REQUIRES(mutex_) {
    if (stretch.node == node) queued_bytes_ -= stretch.bytes.size();
    return stretch.node == node;
  });
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
    changed_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return stopping_ || !queue_.empty(); });
    if (stopping_) break;
    const Stretch stretch = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= stretch.bytes.size();
    storing_ = stretch.node;
    abandon_ = false;
    lock.unlock();
    store_in_pieces(stretch);
    lock.lock();
    storing_ = 0;
    changed_.notify_all();
  }
  ended_ = true;
  changed_.notify_all();
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
