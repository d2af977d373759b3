#include "store/segments/segment_plan.h"

#include <algorithm>

#include "base/check.h"
#include "store/segments/container.h"

namespace cairn {

namespace {

uint64_t min_tensor_bytes(uint32_t chunk_size) { return chunk_size / 4; }

// The last cut at or before `limit`: a start, or a whole number of chunks after it.
uint64_t last_cut(const std::vector<uint64_t>& starts, uint64_t limit, uint32_t chunk_size) {
  const uint64_t start = *std::prev(std::upper_bound(starts.begin(), starts.end(), limit));
  return start + (limit - start) / chunk_size * chunk_size;
}

void add_start(uint64_t offset, std::vector<uint64_t>& starts) {
  if (offset > starts.back()) starts.push_back(offset);
}

// Each tensor counts with the bytes of it that are there, and `there` bytes of the file are: whether it gets a segment
// then follows from the bytes alone. One that may still grow to be worth it leaves what starts at it open.
SegmentPlan plan_layout(const std::vector<Stretch>& tensors, uint64_t there, bool finished, uint32_t chunk_size) {
  SegmentPlan plan;
  uint64_t settled = there;
  for (const Stretch& tensor : tensors) {
    if (tensor.offset >= there) break;
    const uint64_t present = std::min(tensor.end, there) - tensor.offset;
    if (present >= min_tensor_bytes(chunk_size)) {
      add_start(tensor.offset, plan.starts);
      if (tensor.end < there) add_start(tensor.end, plan.starts);
    } else if (tensor.end - tensor.offset >= min_tensor_bytes(chunk_size)) {
      settled = std::min(settled, tensor.offset);
    }
  }
  plan.settled_bytes = finished ? there : last_cut(plan.starts, settled, chunk_size);
  return plan;
}

}  // namespace

SegmentPlanner::SegmentPlanner(uint32_t chunk_size) : chunk_size_(chunk_size) {
  check(chunk_size >= 4, "a chunk has quarters");
}
SegmentPlanner::~SegmentPlanner() = default;
SegmentPlanner::SegmentPlanner(SegmentPlanner&&) noexcept = default;
SegmentPlanner& SegmentPlanner::operator=(SegmentPlanner&&) noexcept = default;

void SegmentPlanner::restart() {
  container_.reset();
  decided_ = false;
}

Result<void> SegmentPlanner::look(const PlanSource& source, uint64_t size_bytes) {
  if (!decided_) {
    SourceCursor cursor(source, size_bytes, 0);
    const ByteView first_bytes = cursor.take(std::min<uint64_t>(size_bytes, kRecogniseBytes));
    if (cursor.failure()) return fail(*cursor.failure());
    container_ = recognise(first_bytes, min_tensor_bytes(chunk_size_));
    decided_ = first_bytes.size() == kRecogniseBytes;
  }
  if (!container_) return {};
  auto recognised = container_->look(source, size_bytes);
  if (!recognised) return fail(std::move(recognised).error());
  if (!*recognised) container_.reset();
  return {};
}

Result<SegmentPlan> SegmentPlanner::plan(const PlanSource& source, uint64_t size_bytes, bool finished) {
  if (auto looked = look(source, size_bytes); !looked) return fail(std::move(looked).error());
  uint64_t there = size_bytes;
  if (!finished && !decided_) there = 0;
  if (!finished && container_) there = std::min(there, container_->layout().known_bytes);
  static const std::vector<Stretch> kNoTensors;
  return plan_layout(container_ ? container_->layout().tensors : kNoTensors, there, finished, chunk_size_);
}

Result<SegmentPlan> plan_segments(const PlanSource& source, uint64_t size_bytes, bool finished, uint32_t chunk_size) {
  return SegmentPlanner(chunk_size).plan(source, size_bytes, finished);
}

std::vector<PlannedChunk> plan_chunks(const SegmentPlan& plan, uint64_t size_bytes, uint32_t chunk_size) {
  std::vector<PlannedChunk> chunks;
  for (size_t i = 0; i < plan.starts.size(); ++i) {
    const uint64_t end = i + 1 < plan.starts.size() ? std::min(plan.starts[i + 1], size_bytes) : size_bytes;
    for (uint64_t at = plan.starts[i]; at < end; at += chunk_size) {
      chunks.push_back({.offset = at, .size = static_cast<uint32_t>(std::min<uint64_t>(chunk_size, end - at))});
    }
  }
  return chunks;
}

PlannedChunk planned_chunk_at(const SegmentPlan& plan, uint64_t size_bytes, uint32_t chunk_size, uint64_t offset) {
  const auto next = std::upper_bound(plan.starts.begin(), plan.starts.end(), offset);
  const uint64_t start = *std::prev(next);
  const uint64_t end = next == plan.starts.end() ? size_bytes : std::min(*next, size_bytes);
  const uint64_t at = start + (offset - start) / chunk_size * chunk_size;
  return {.offset = at, .size = static_cast<uint32_t>(std::min<uint64_t>(chunk_size, end - at))};
}

}  // namespace cairn
