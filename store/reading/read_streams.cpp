#include "store/reading/read_streams.h"

#include <algorithm>
#include <utility>

namespace cairn {

namespace {

constexpr size_t kMaxStreams = 64;
// So many small ones in a row (MADV_RANDOM faults by single pages) are as much as a few large ones.
constexpr uint64_t kRegionSteps = 32;

}  // namespace

ReadStreams::Position ReadStreams::observe(uint64_t offset, uint64_t length) {
  const uint64_t end = offset + length;
  Stream* found = near(offset, length);
  Stream& stream = found != nullptr ? *found : start(offset);
  stream.last_use = ++clock_;
  if (end > stream.front) {
    ++stream.steps;
    // What was pushed between the front and this read was answered by the kernel: it counts as read.
    const uint64_t from = offset <= stream.pushed_until ? stream.front : std::max(stream.front, offset);
    stream.read_bytes += end - from;
    stream.front = end;
  }
  const bool has_substance =
      stream.steps >= kRegionSteps || (stream.steps >= 2 && stream.read_bytes >= chunk_size_ / 4);
  const bool is_new_region = has_substance && stream.begin >= chunk_size_ && !std::exchange(stream.is_region, true);
  return {stream.id, stream.front, ahead_of(stream), stream.asked_until, is_new_region};
}

void ReadStreams::asked(uint64_t stream, uint64_t until, bool pushed) {
  Stream* found = find(stream);
  if (found == nullptr) return;
  found->asked_until = until;
  if (pushed) found->pushed_until = until;
}

void ReadStreams::retract(uint64_t stream, uint64_t offset) {
  Stream* found = find(stream);
  if (found == nullptr) return;
  found->asked_until = std::min(found->asked_until, offset);
  found->pushed_until = std::min(found->pushed_until, offset);
}

// The stream whose front is nearest to the read, within what several windows of the kernel's read-ahead in flight can
// put between two faults of one sweep.
ReadStreams::Stream* ReadStreams::near(uint64_t offset, uint64_t length) {
  const uint64_t slack = std::max<uint64_t>(chunk_size_ / 2, 2 * length);
  Stream* nearest = nullptr;
  uint64_t nearest_distance = 0;
  for (Stream& stream : streams_) {
    const uint64_t reach = std::max(stream.front, stream.pushed_until) + slack;
    if (offset + slack < stream.front || offset > reach) continue;
    const uint64_t distance = offset > stream.front ? offset - stream.front : stream.front - offset;
    if (nearest != nullptr && distance >= nearest_distance) continue;
    nearest = &stream;
    nearest_distance = distance;
  }
  return nearest;
}

ReadStreams::Stream* ReadStreams::find(uint64_t id) {
  const auto found = std::ranges::find(streams_, id, &Stream::id);
  return found == streams_.end() ? nullptr : &*found;
}

ReadStreams::Stream& ReadStreams::start(uint64_t offset) {
  if (streams_.size() == kMaxStreams) streams_.erase(std::ranges::min_element(streams_, {}, &Stream::last_use));
  return streams_.emplace_back(Stream{.id = ++clock_, .begin = offset, .front = offset});
}

// Nothing before its second step and some substance, so that random reads that happen to touch cost nothing. A stream
// that began at the file's start goes on to its end: twice the bytes that it has read so far, so that stopping early
// has cost no more than was used. A stream that began in the middle is of a part, one tensor of many, and all that was
// fetched past its end is waste: the next chunk in time, and more only for long parts.
uint64_t ReadStreams::ahead_of(const Stream& stream) const {
  if (stream.steps < 2 || stream.read_bytes < chunk_size_ / 16) return 0;
  if (stream.begin < chunk_size_) return std::max<uint64_t>(chunk_size_, 2 * stream.read_bytes);
  return std::max<uint64_t>(chunk_size_ / 4 * 3, stream.read_bytes / 16);
}

}  // namespace cairn
