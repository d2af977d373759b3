// Small staging files that are kept for a moment: one after the other in a file that all of an area share.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/wait.h"

namespace cairn {

// Keeping a file by itself costs three syncs of the disk; an entry here costs one, which those who come together share.
// Entries are appended to segments, `<directory>/keep.<n>`; a segment goes when all its entries are released, and the
// one that is appended to begins anew.
//
// Thread-safety: all methods may be called from any thread.
// Failures: no_space, io. A segment that could not be written or synced takes no more entries.
// Durability: what append() returned success for is found by take_left() after power loss, until it is released. That
//   it was released survives this process, and power loss only together with a later append.
class KeepLog {
 public:
  // What is larger is kept by itself.
  static constexpr uint64_t kMostBytes = 64U << 10;

  explicit KeepLog(std::string directory) : directory_(std::move(directory)) {}

  struct Left {
    uint64_t number = 0;
    std::string description;
    std::string bytes;
  };
  // What earlier processes appended and did not release, in that order; `then` is called with it, and if it succeeds
  // the segments are removed. Called once, before the first append.
  template <class Then>
  Result<void> take_left(const Then& then) {
    auto found = find_segments();
    if (!found) return fail(std::move(found).error());
    for (const uint64_t segment : *found) {
      auto left = read_segment(segment);
      if (!left) return fail(std::move(left).error());
      if (auto taken = then(*left); !taken) return taken;
      remove_segment(segment);
    }
    return {};
  }

  struct Place {
    uint64_t segment = 0;
    uint64_t offset = 0;
  };
  Result<Place> append(uint64_t number, std::string_view description, std::string_view bytes);
  void release(const Place& place);

 private:
  struct Segment {  // used under the log's mutex
    uint64_t number = 0;
    UniqueFd file;
    uint64_t size_bytes = 0;
    uint64_t synced_bytes = 0;
    uint64_t live = 0;  // entries
    bool syncing = false;
    int failed = 0;  // errno
  };
  using SegmentPtr = std::shared_ptr<Segment>;

  Result<std::vector<uint64_t>> find_segments();
  [[nodiscard]] Result<std::vector<Left>> read_segment(uint64_t number) const;
  void remove_segment(uint64_t number) const;
  Result<SegmentPtr> current_locked() CAIRN_REQUIRES(mutex_);
  Result<void> write_locked(Segment& segment, uint64_t offset, std::string_view entry) CAIRN_REQUIRES(mutex_);
  Result<void> sync(Segment& segment, uint64_t until);
  [[nodiscard]] std::string path(uint64_t segment) const;

  const std::string directory_;
  Mutex mutex_;       // held over writes to the page cache, and not over syncs
  Condition synced_;  // a sync has ended
  std::map<uint64_t, SegmentPtr> segments_ CAIRN_GUARDED_BY(mutex_);
  SegmentPtr current_ CAIRN_GUARDED_BY(mutex_);
  uint64_t next_ CAIRN_GUARDED_BY(mutex_) = 1;
};

}  // namespace cairn
