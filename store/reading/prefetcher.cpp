#include "store/reading/prefetcher.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"

namespace cairn {

namespace {

constexpr uint64_t kPage = 4096;
// The share of a chunk, at its start, that is not pushed.
constexpr uint64_t kMarkerPart = 64;

uint64_t page_up(uint64_t offset) { return (offset + kPage - 1) / kPage * kPage; }
uint64_t page_down(uint64_t offset) { return offset / kPage * kPage; }

}  // namespace

Prefetcher::Prefetcher(ChunkReader& chunks, ManifestPtr manifest, ImagePtr image, uint32_t chunk_size,
                       uint32_t max_chunks)
    : chunks_(chunks),
      manifest_(std::move(manifest)),
      image_(std::move(image)),
      max_chunks_(max_chunks),
      streams_(chunk_size) {}

void Prefetcher::observe(uint64_t offset, uint64_t length) {
  Batch batch;
  {
    const MutexLock lock(mutex_);
    batch = plan_locked(streams_.observe(offset, length));
  }
  start(batch);
}

void Prefetcher::set_sink(PageSink sink) {
  MutexLock lock(mutex_);
  sink_ = sink ? std::make_shared<const PageSink>(std::move(sink)) : nullptr;
  if (!sink_) pushed_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return pushing_ == 0; });
}

Prefetcher::Batch Prefetcher::plan_locked(const ReadStreams::Position& position) {
  if (position.ahead_bytes == 0) return {};
  const auto& chunks = manifest_->chunks();
  const size_t ahead = first_chunk_from(position.front);
  Batch batch{.stream = position.stream, .first = first_chunk_from(std::max(position.front, position.asked_until))};
  batch.last =
      std::max(batch.first,
               std::min({first_chunk_from(position.front + position.ahead_bytes), ahead + max_chunks_, chunks.size()}));
  batch.push = sink_ != nullptr;
  if (batch.last > batch.first) streams_.asked(position.stream, chunks[batch.last - 1].end(), batch.push);
  return batch;
}

// The index of the first chunk that begins at or after `offset`.
size_t Prefetcher::first_chunk_from(uint64_t offset) const {
  const auto& chunks = manifest_->chunks();
  const size_t index = manifest_->index_at(offset);
  return index < chunks.size() && chunks[index].offset < offset ? index + 1 : index;
}

void Prefetcher::start(const Batch& batch) {
  for (size_t i = batch.first; i < batch.last; ++i) {
    const ChunkRef& chunk = manifest_->chunks()[i];
    if (!batch.push && chunks_.is_local(chunk)) continue;
    chunks_.prefetch(
        chunk,
        [weak = weak_from_this(), stream = batch.stream, &chunk](const Result<SharedBuffer>& outcome) {
          if (const auto self = weak.lock()) self->arrived(stream, chunk, outcome);
        },
        image_);
  }
}

void Prefetcher::arrived(uint64_t stream, const ChunkRef& chunk, const Result<SharedBuffer>& outcome) {
  if (outcome) return push(chunk, *outcome);
  if (outcome.error().code() == Errc::no_space) {
    const MutexLock lock(mutex_);
    streams_.retract(stream, chunk.offset);
    return;
  }
  log::debug("prefetch: {}", outcome.error().to_string());
}

void Prefetcher::push(const ChunkRef& chunk, const SharedBuffer& buffer) {
  if (buffer->size() != chunk.size) return;
  const uint64_t begin = page_up(chunk.offset + chunk.size / kMarkerPart + 1);
  const uint64_t end = chunk.end() == manifest_->size_bytes() ? chunk.end() : page_down(chunk.end());
  std::shared_ptr<const PageSink> sink;
  {
    const MutexLock lock(mutex_);
    if (!sink_ || begin >= end) return;
    sink = sink_;
    ++pushing_;
  }
  (*sink)(begin, buffer->view().subspan(begin - chunk.offset, end - begin), buffer);
  chunks_.mark_delivered(chunk, end - begin);
  const MutexLock lock(mutex_);
  if (--pushing_ == 0) pushed_.notify_all();
}

}  // namespace cairn
