#include "cache/chunk_ledger.h"

#include <algorithm>
#include <utility>

namespace cairn {

ChunkLedger::Found ChunkLedger::use(const ChunkId& id) {
  if (auto queued = queued_.find(id); queued != queued_.end()) return {queued->second, 0};
  const uint64_t* size_bytes = stored_.use(id);
  return {nullptr, size_bytes == nullptr ? 0 : *size_bytes};
}

bool ChunkLedger::contains(const ChunkId& id) const { return queued_.contains(id) || stored_.peek(id) != nullptr; }

void ChunkLedger::enqueue(const ChunkId& id, SharedBuffer plain) {
  if (queued_.contains(id)) return;
  if (const uint64_t* size_bytes = stored_.use(id); size_bytes != nullptr) {
    if (*size_bytes == plain->size()) return;
    doom(id);
  }
  queued_bytes_ += plain->size();
  queued_.emplace(id, std::move(plain));
  order_.push_back(id);
}

ChunkLedger::Batch ChunkLedger::take_batch(uint64_t max_bytes) {
  Batch batch;
  uint64_t bytes = 0;
  while (!order_.empty()) {
    const SharedBuffer& plain = queued_.at(order_.front());
    if (!batch.chunks.empty() && bytes + plain->size() > max_bytes) break;
    bytes += plain->size();
    batch.footprint_bytes += footprint_(plain->size());
    batch.chunks.emplace_back(order_.front(), plain);
    order_.pop_front();
  }
  return batch;
}

void ChunkLedger::finish(const Batch& batch, bool stored) {
  for (const auto& [id, plain] : batch.chunks) {
    queued_bytes_ -= plain->size();
    queued_.erase(id);
    ++finished_chunks_;
    if (!stored) continue;
    stored_.insert(id, plain->size());
    stored_bytes_ += footprint_(plain->size());
  }
}

void ChunkLedger::doom(const ChunkId& id) {
  const uint64_t* size_bytes = stored_.peek(id);
  if (size_bytes == nullptr) return;
  const uint64_t footprint = footprint_(*size_bytes);
  stored_.erase(id);
  stored_bytes_ -= footprint;
  doomed_.push_back(id);
  doomed_footprints_.push_back(footprint);
  doomed_bytes_ += footprint;
}

size_t ChunkLedger::doom_down_to(uint64_t limit_bytes) {
  size_t count = 0;
  for (; stored_bytes_ > limit_bytes; ++count) doom(stored_.oldest().first);
  return count;
}

void ChunkLedger::buried(size_t count) {
  const auto end = static_cast<std::ptrdiff_t>(count);
  for (size_t i = 0; i < count; ++i) doomed_bytes_ -= doomed_footprints_[i];
  doomed_.erase(doomed_.begin(), doomed_.begin() + end);
  doomed_footprints_.erase(doomed_footprints_.begin(), doomed_footprints_.begin() + end);
}

void ChunkLedger::adopt(std::vector<CachedChunk> chunks, const std::vector<RecencyTag>& oldest_first) {
  std::unordered_map<RecencyTag, size_t> rank;
  for (size_t i = 0; i < oldest_first.size(); ++i) rank[oldest_first[i]] = i;
  const auto rank_of = [&](const CachedChunk& chunk) {
    const auto found = rank.find(recency_tag(chunk.id));
    return found == rank.end() ? oldest_first.size() : found->second;
  };
  std::ranges::stable_sort(chunks, {}, rank_of);
  for (const auto& [id, size_bytes] : chunks) {
    stored_.insert(id, size_bytes);
    stored_bytes_ += footprint_(size_bytes);
  }
}

void ChunkLedger::forget_stored() {
  stored_.clear();
  doomed_.clear();
  doomed_footprints_.clear();
  stored_bytes_ = doomed_bytes_ = 0;
}

size_t ChunkLedger::forget_queued() {
  finished_chunks_ += queued_.size();
  queued_.clear();
  queued_bytes_ = 0;
  return std::exchange(order_, {}).size();
}

std::vector<RecencyTag> ChunkLedger::order_of_use() const {
  std::vector<RecencyTag> tags;
  tags.reserve(stored_.size());
  stored_.for_each_oldest_first([&](const ChunkId& id, uint64_t) { tags.push_back(recency_tag(id)); });
  return tags;
}

}  // namespace cairn
