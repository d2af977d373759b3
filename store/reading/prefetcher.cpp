#include "store/reading/prefetcher.h"

#include <algorithm>
#include <utility>

#include "base/contained.h"
#include "base/log.h"
#include "base/mutex.h"
#include "store/reading/load_profiles.h"

namespace cairn {

namespace {

constexpr uint64_t kPage = 4096;
// The share of a chunk, at its start, that is not pushed.
constexpr uint64_t kMarkerPart = 64;
// An order in fewer runs than this is nearly the file's own.
constexpr size_t kFewestRuns = 4;

uint64_t page_up(uint64_t offset) { return (offset + kPage - 1) / kPage * kPage; }
uint64_t page_down(uint64_t offset) { return offset / kPage * kPage; }
uint64_t after_marker(const ChunkRef& chunk) { return chunk.offset + chunk.size / kMarkerPart + 1; }

}  // namespace

Prefetcher::Prefetcher(StoreEnvironment& environment, ChunkReader& chunks, ManifestPtr manifest, ImagePtr image,
                       std::optional<Digest> manifest_id)
    : environment_(environment),
      chunks_(chunks),
      manifest_(std::move(manifest)),
      image_(std::move(image)),
      manifest_id_(manifest_id),
      max_chunks_(environment.options.prefetch_chunks),
      streams_(environment.format.chunk_size),
      whole_(manifest_->chunks().size(), environment.options.prefetch_chunks) {}

void Prefetcher::observe(uint64_t offset, uint64_t length) {
  Work work;
  {
    const MutexLock lock(mutex_);
    work = observe_locked(offset, length);
  }
  start(work.batch);
  if (work.begin_whole) {
    chunks_.run_aside([self = shared_from_this()](const std::stop_token& stop) { self->begin_whole(stop); });
  }
  if (work.go_on) stream_whole();
  if (work.half_read) work.half_read();
  if (!work.order.empty()) {
    chunks_.run_aside([self = shared_from_this(), order = std::move(work.order)](const std::stop_token& stop) {
      self->save(order, stop);
    });
  }
}

Prefetcher::Work Prefetcher::observe_locked(uint64_t offset, uint64_t length) {
  Work work;
  const auto position = streams_.observe(offset, length);
  const size_t first = manifest_->index_at(offset);
  whole_.touch(first, first_chunk_from(offset + length));
  if (position.is_region) whole_.add_region(environment_.clock.steady_now());
  work.batch = plan_locked(position);
  work.begin_whole = max_chunks_ > 0 && whole_.recognise();
  work.go_on = whole_.streams() && !is_streaming_;
  const size_t chunks = manifest_->chunks().size();
  if (half_read_ && whole_.touched() * 2 >= chunks) work.half_read = std::exchange(half_read_, nullptr);
  if (wants_profile_ && whole_.is_loaded()) {
    wants_profile_ = false;
    work.order = whole_.order();
  }
  return work;
}

// A chunk of which the reader has taken a part from memory: the rest goes to the kernel, instead of in many more reads.
void Prefetcher::served(uint64_t offset, uint64_t length) {
  const size_t index = manifest_->index_at(offset + length - 1);
  {
    const MutexLock lock(mutex_);
    if (!sink_ || index == manifest_->chunks().size() || !whole_.take_rest(index)) return;
  }
  chunks_.prefetch(
      manifest_->chunks()[index],
      [weak = weak_from_this(), index, begin = offset + length](const Result<SharedBuffer>& outcome) {
        const auto self = weak.lock();
        if (self && outcome) self->hand_over(index, begin, *outcome);
      },
      image_);
}

void Prefetcher::set_sink(PageSink sink) {
  MutexLock lock(mutex_);
  sink_ = sink ? std::make_shared<const PageSink>(std::move(sink)) : nullptr;
  if (!sink_) pushed_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return pushing_ == 0; });
}

void Prefetcher::set_half_read(HalfRead half_read) {
  const MutexLock lock(mutex_);
  half_read_ = std::move(half_read);
}

Prefetcher::Batch Prefetcher::plan_locked(const ReadStreams::Position& position) {
  if (position.ahead_bytes == 0) return {};
  const auto& chunks = manifest_->chunks();
  const size_t ahead = first_chunk_from(position.front);
  const size_t first = first_chunk_from(std::max(position.front, position.asked_until));
  const size_t last =
      std::min({first_chunk_from(position.front + position.ahead_bytes), ahead + max_chunks_, chunks.size()});
  Batch batch{.stream = position.stream, .chunks = {}, .push = sink_ != nullptr};
  if (last > first) streams_.asked(position.stream, chunks[last - 1].end(), batch.push);
  for (size_t i = first; i < last; ++i) {
    if (whole_.ask(i)) batch.chunks.push_back(i);
  }
  return batch;
}

// The index of the first chunk that begins at or after `offset`.
size_t Prefetcher::first_chunk_from(uint64_t offset) const {
  const auto& chunks = manifest_->chunks();
  const size_t index = manifest_->index_at(offset);
  return index < chunks.size() && chunks[index].offset < offset ? index + 1 : index;
}

void Prefetcher::start(const Batch& batch) {
  for (const size_t index : batch.chunks) {
    const ChunkRef& chunk = manifest_->chunks()[index];
    if (!batch.push && chunks_.is_local(chunk)) continue;
    chunks_.prefetch(
        chunk,
        [weak = weak_from_this(), stream = batch.stream, index](const Result<SharedBuffer>& outcome) {
          if (const auto self = weak.lock()) self->arrived(stream, index, outcome);
        },
        image_);
  }
}

void Prefetcher::arrived(uint64_t stream, size_t index, const Result<SharedBuffer>& outcome) {
  const ChunkRef& chunk = manifest_->chunks()[index];
  if (outcome) {
    push(chunk, after_marker(chunk), *outcome);
    return;
  }
  if (outcome.error().code() == Errc::no_space) {
    const MutexLock lock(mutex_);
    streams_.retract(stream, chunk.offset);
    whole_.give_back(index);
    return;
  }
  log::debug("prefetch: {}", outcome.error().to_string());
}

// True: the sink has what there is to push of it.
bool Prefetcher::push(const ChunkRef& chunk, uint64_t begin, const SharedBuffer& buffer) {
  if (buffer->size() != chunk.size) return false;
  begin = page_up(begin);
  const uint64_t end = chunk.end() == manifest_->size_bytes() ? chunk.end() : page_down(chunk.end());
  std::shared_ptr<const PageSink> sink;
  {
    const MutexLock lock(mutex_);
    if (!sink_) return false;
    if (begin >= end) return true;
    sink = sink_;
    ++pushing_;
  }
  const bool is_taken = (*sink)(begin, buffer->view().subspan(begin - chunk.offset, end - begin), buffer);
  if (is_taken) chunks_.mark_delivered(chunk, end - begin);
  const MutexLock lock(mutex_);
  if (--pushing_ == 0) pushed_.notify_all();
  return is_taken;
}

// On an io thread: to look for every chunk, and to ask for the profile, is more than a reader should wait for.
void Prefetcher::begin_whole(const std::stop_token& stop) {
  LoadOrder order;
  bool wants_profile = false;
  const bool is_profiled =
      environment_.options.load_profile && manifest_id_ && manifest_->size_bytes() >= kLeastProfiledBytes && is_cold();
  if (is_profiled) {
    const auto context = RequestContext::within(environment_.options.operation_timeout, Cause::prefetch, stop);
    auto found =
        contained([&] { return fetch_load_profile(environment_, *manifest_id_, manifest_->chunks().size(), context); });
    if (found) order = std::move(*found);
    wants_profile = !found && found.error().code() == Errc::not_found && !environment_.options.read_only;
    if (!found && !wants_profile) log::debug("load profile: {}", found.error().to_string());
  }
  if (!may_keep()) return;
  {
    const MutexLock lock(mutex_);
    whole_.begin(std::move(order));
    wants_profile_ = wants_profile;
  }
  stream_whole();
}

// Somebody takes what is streamed: a cache that can hold the file, or the kernel.
bool Prefetcher::may_keep() const {
  const uint64_t cache_bytes = chunks_.cache_bytes();
  return cache_bytes > 0 ? manifest_->size_bytes() <= cache_bytes : has_sink();
}

bool Prefetcher::has_sink() const {
  const MutexLock lock(mutex_);
  return sink_ != nullptr;
}

// Most of the version is not on this machine.
bool Prefetcher::is_cold() const {
  const auto& chunks = manifest_->chunks();
  const auto cached = std::ranges::count_if(chunks, [&](const ChunkRef& chunk) { return chunks_.is_cached(chunk); });
  return static_cast<size_t>(cached) * 2 < chunks.size();
}

// One thread at a time: whoever comes meanwhile has changed what next() says, and it is asked once more.
void Prefetcher::stream_whole() {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(is_streaming_, true)) return;
  }
  while (const auto index = next_of_whole()) {
    const ChunkRef& chunk = manifest_->chunks()[*index];
    if (!has_sink() && chunks_.is_cached(chunk)) {
      const MutexLock lock(mutex_);
      whole_.landed();
      continue;
    }
    chunks_.prefetch(
        chunk,
        [weak = weak_from_this(), index = *index](const Result<SharedBuffer>& outcome) {
          if (const auto self = weak.lock()) self->arrived_of_whole(index, outcome);
        },
        image_);
  }
}

std::optional<size_t> Prefetcher::next_of_whole() {
  const MutexLock lock(mutex_);
  // A chunk that only the resident ones hold has gone through the sink.
  std::erase_if(pushed_chunks_, [](const auto& chunk) { return chunk.use_count() <= 1; });
  const auto index = whole_.next(pushed_chunks_.size());
  if (!index) is_streaming_ = false;
  return index;
}

void Prefetcher::arrived_of_whole(size_t index, const Result<SharedBuffer>& outcome) {
  const ChunkRef& chunk = manifest_->chunks()[index];
  const bool found_no_room = !outcome && outcome.error().code() == Errc::no_space;
  // One page is left, so that its reader's fault tells of him.
  if (outcome) hand_over(index, chunk.offset + kPage, *outcome);
  if (!outcome && !found_no_room) log::debug("prefetch: {}", outcome.error().to_string());
  {
    const MutexLock lock(mutex_);
    found_no_room ? whole_.retract(index) : whole_.landed();
  }
  if (!found_no_room) stream_whole();
}

// What the cache has need not wait for its reader: the pages at its ends are cheap to serve. A push may wait for a page
// whose reader waits for memory, so what is on its way into the kernel never takes all of that.
void Prefetcher::hand_over(size_t index, uint64_t begin, const SharedBuffer& buffer) {
  const ChunkRef& chunk = manifest_->chunks()[index];
  const MemoryBudget& memory = environment_.memory;
  const bool has_room = !memory.contended() && memory.used_bytes() <= memory.limit_bytes() / 8 * 5;
  const bool is_pushed = has_room && push(chunk, begin, buffer);
  if (chunks_.is_cached(chunk)) chunks_.finish(chunk);
  const MutexLock lock(mutex_);
  if (is_pushed) pushed_chunks_.push_back(buffer);
}

void Prefetcher::save(const LoadOrder& order, const std::stop_token& stop) {
  if (count_runs(order) < kFewestRuns) return;
  const auto context = RequestContext::within(environment_.options.operation_timeout, Cause::write_back, stop);
  const auto put = contained([&] { return put_load_profile(environment_, *manifest_id_, order, context); });
  if (!put) log::debug("load profile: {}", put.error().to_string());
}

}  // namespace cairn
