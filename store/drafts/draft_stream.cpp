#include "store/drafts/draft_stream.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/work_slots.h"

namespace cairn {

DraftStream::DraftStream(StoreEnvironment& environment, DraftBytes& bytes, DraftChunks& chunks)
    : environment_(environment),
      bytes_(bytes),
      chunks_(chunks),
      next_look_(environment.format.chunk_size),
      planner_(environment.format.chunk_size) {}

DraftStream::~DraftStream() {
  MutexLock lock(mutex_);
  ended_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return !running_; });
}

// Called after the bytes are in the layout. The prefix is read before the lock, and may be too short by the time it is
// looked at: the write that has made it longer comes here as well.
void DraftStream::written(uint64_t begin) {
  const uint64_t prefix = bytes_.written_prefix();
  const bool room = chunks_.has_room();
  const MutexLock lock(mutex_);
  if (begin < planned_until_) replan_ = true;
  if (running_ || !room || prefix < next_look_) return;
  running_ = true;
  environment_.compute.submit([this] { run(); });
}

void DraftStream::cut(uint64_t size_bytes) {
  const MutexLock lock(mutex_);
  if (size_bytes < planned_until_) replan_ = true;
  // Cuts from here on are to be stored again; the step in progress sees that sent_until_ is not where it left it.
  sent_until_ = std::min(sent_until_, size_bytes);
  next_look_ = sent_until_ + environment_.format.chunk_size;
}

void DraftStream::run() {
  while (goes_on(step(bytes_.written_prefix()))) {
  }
}

// Whether the writer has left more behind during the last step. A write between the look and the lock may be missed:
// then the next one looks again, or the seal stores the rest.
bool DraftStream::goes_on(bool had_room) {
  const uint64_t prefix = bytes_.written_prefix();
  const MutexLock lock(mutex_);
  if (had_room && prefix >= next_look_) return true;
  running_ = false;
  ended_.notify_all();
  return false;
}

// False if it stopped for want of room or memory, or because the file was cut.
bool DraftStream::step(uint64_t prefix) {
  const uint32_t chunk_size = environment_.format.chunk_size;
  uint64_t at = 0;
  {
    const MutexLock lock(mutex_);
    at = sent_until_;
    next_look_ = prefix + chunk_size / 2;
  }
  if (!is_here(prefix)) return false;
  auto planned = plan(prefix, environment_.background(Cause::write_back));
  if (!planned) {
    log::debug("streaming a draft: {}", planned.error().to_string());
    return false;
  }
  const SegmentPlan& plan = *planned;
  while (at < plan.settled_bytes) {
    const PlannedChunk cut = planned_chunk_at(plan, plan.settled_bytes, chunk_size, at);
    const bool sent = cut.offset < at || send(cut);
    const MutexLock lock(mutex_);
    if (sent_until_ != at || !sent) {
      next_look_ = std::min(next_look_, prefix);
      return false;
    }
    at = cut.offset + cut.size;
    sent_until_ = at;
  }
  return true;
}

// What the planner is going to look at is in the staging file: this thread waits for no store.
bool DraftStream::is_here(uint64_t prefix) {
  uint64_t from = 0;
  {
    const MutexLock lock(mutex_);
    from = replan_ ? 0 : planned_until_;
  }
  return !bytes_.has_any(DraftLayout::Source::sent, from, prefix);
}

Result<SegmentPlan> DraftStream::plan_now(const RequestContext& context) {
  {
    const WithoutSlot waiting;
    MutexLock lock(mutex_);
    auto ended = ended_.wait(lock, context, [this]() CAIRN_REQUIRES(mutex_) { return !running_; });
    if (!ended) return fail(std::move(ended).error());
    running_ = true;
  }
  auto plan = this->plan(bytes_.written_prefix(), context);
  const MutexLock lock(mutex_);
  running_ = false;
  ended_.notify_all();
  return plan;
}

// By the thread that set running_.
Result<SegmentPlan> DraftStream::plan(uint64_t prefix, const RequestContext& context) {
  bool replan = false;
  {
    const MutexLock lock(mutex_);
    // Both before the bytes are read: a write below planned_until_ that comes from now on asks for the next plan.
    replan = std::exchange(replan_, false);
    planned_until_ = prefix;
  }
  if (replan) planner_.restart();
  const PlanSource source{
      .read = [&](uint64_t offset, MutableByteView out) { return bytes_.read(offset, out, context); },
      .next_data = [&](uint64_t offset) { return bytes_.seek_data(offset).value_or(prefix); }};
  return planner_.plan(source, prefix, false);
}

bool DraftStream::send(const PlannedChunk& cut) {
  if (!chunks_.has_room()) return false;
  auto lease = environment_.memory.try_acquire(ChunkWriter::lease_bytes(cut.size));
  if (!lease) return false;
  if (bytes_.has_any(DraftLayout::Source::sent, cut.offset, cut.offset + cut.size)) return true;
  // As when sealing: begun before the bytes are read, so that a write in between is noticed.
  const auto [chunk, begun] = chunks_.find_or_begin(cut);
  if (!begun) return true;
  Buffer plain(cut.size);
  auto read = bytes_.read(cut.offset, plain.mutable_view(), environment_.background(Cause::write_back));
  if (read && *read == cut.size) {
    chunks_.send(chunk, std::move(plain), std::move(*lease), ChunkWriter::Keep::there_alone);
  } else {
    chunks_.give_up(chunk, read ? Error(Errc::conflict, "the file was cut meanwhile") : read.error());
  }
  return true;
}

}  // namespace cairn
