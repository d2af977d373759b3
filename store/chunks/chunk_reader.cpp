#include "store/chunks/chunk_reader.h"

#include <algorithm>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/contained.h"
#include "base/log.h"
#include "base/units.h"
#include "base/wait.h"
#include "base/work_slots.h"
#include "store/chunks/leased_buffer.h"
#include "store/codec/chunk_codec.h"
#include "store/format/keys.h"

namespace cairn {

namespace {

// An object is not larger than its raw form. What decoding it takes besides comes from a budget of its own.
uint64_t flight_bytes(const ChunkRef& chunk) { return uint64_t{chunk.size} + kChunkHeaderBytes; }

Error in_chunk(const ChunkRef& chunk, const Error& error) { return error.in("chunk " + chunk.id.short_hex()); }

// Chunks are resident by id alone, and a damaged manifest may claim anything of an id.
Result<SharedBuffer> of_right_size(const ChunkRef& chunk, Result<SharedBuffer> buffer) {
  if (!buffer || (*buffer)->size() == chunk.size) return buffer;
  return fail(Errc::corrupt, "chunk {} has {} bytes, not the {} that its manifest says", chunk.id.short_hex(),
              (*buffer)->size(), chunk.size);
}

// The share of the memory budget for prefetched chunks, on their way or waiting for their reader. Many readers need the
// rest for the chunks that they are in the middle of.
constexpr uint64_t kPrefetchShare = 4;

// A reader who has not come for a prefetched chunk by then has most likely gone elsewhere.
constexpr std::chrono::nanoseconds kReaderPatience = std::chrono::seconds(10);

// Damage and absence stay what they are however often one asks.
bool may_pass(Errc code) { return code != Errc::corrupt && code != Errc::not_found && code != Errc::unsupported; }

}  // namespace

struct ChunkReader::Flight {
  Flight(const Wanted& wanted, Cause why, MemoryBudget::Lease memory)
      : chunk(wanted.chunk), image(wanted.image), source(wanted.source), cause(why), lease(std::move(memory)) {}

  const ChunkRef chunk;
  const ImagePtr image;
  const Source source;
  const Cause cause;
  std::stop_source stop;
  MemoryBudget::Lease lease;  // the running task's

  // Under ChunkReader::mutex_:
  bool started = false;
  size_t waiters = 0;
  std::vector<Done> callbacks;
  std::optional<Result<SharedBuffer>> outcome;  // set: landed
  Condition landed;
};

ChunkReader::ChunkReader(StoreEnvironment& environment)
    : environment_(environment), kept_(environment.memory.limit_bytes() / 2) {
  environment_.memory.set_reclaimer([this](uint64_t wanted_bytes) { reclaim(wanted_bytes); });
}

ChunkReader::~ChunkReader() {
  environment_.memory.set_reclaimer(nullptr);
  std::vector<FlightPtr> under_way;
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    for (const auto& [id, flight] : flights_) under_way.push_back(flight);
  }
  asides_.request_stop();
  for (const FlightPtr& flight : under_way) flight->stop.request_stop();
  MutexLock lock(mutex_);
  idle_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return tasks_ == 0; });
}

Result<void> ChunkReader::read(const ChunkRef& chunk, uint64_t offset, MutableByteView out,
                               const RequestContext& context, const ImagePtr& image) {
  check(offset + out.size() <= chunk.size, "a read stays within its chunk");
  Result<SharedBuffer> buffer = use_resident(chunk, out.size());
  if (!*buffer) {
    if (environment_.images.read(chunk, offset, out) || environment_.cache.read(chunk.id, offset, out)) return {};
    buffer = fly({chunk, image, Source::store}, out.size(), context);
  }
  buffer = of_right_size(chunk, std::move(buffer));
  if (!buffer) return fail(std::move(buffer).error());
  if (!out.empty()) std::memcpy(out.data(), (*buffer)->data() + offset, out.size());
  return {};
}

Result<SharedBuffer> ChunkReader::fetch(const ChunkRef& chunk, const RequestContext& context, const ImagePtr& image) {
  SharedBuffer kept = use_resident(chunk, chunk.size);
  if (!kept) return of_right_size(chunk, fly({chunk, image, Source::cache_or_store}, chunk.size, context));
  return of_right_size(chunk, std::move(kept));
}

void ChunkReader::prefetch(const ChunkRef& chunk, Done done, const ImagePtr& image) {
  SharedBuffer kept;
  {
    const MutexLock lock(mutex_);
    if (attach_locked(chunk, done)) return;
    kept = kept_.find(chunk.id);
  }
  if (kept) return done(std::move(kept));
  // Without the lock: to make room for the lease, chunks are freed. If the chunk has landed by the time it is launched,
  // it is brought once more, from the cache in all likelihood: a waste, and harmless.
  auto lease = lease_for_prefetch(flight_bytes(chunk));
  if (!lease) return done(fail(std::move(lease).error()));
  const MutexLock lock(mutex_);
  // Another thread may have launched it meanwhile: its flight serves this caller too.
  if (attach_locked(chunk, done)) return;
  launch_locked({chunk, image, Source::cache_or_store}, Cause::prefetch, std::move(*lease))
      ->callbacks.push_back(std::move(done));
}

void ChunkReader::mark_delivered(const ChunkRef& chunk, uint64_t size_bytes) {
  const MutexLock lock(mutex_);
  kept_.delivered(chunk.id, size_bytes);
}

void ChunkReader::finish(const ChunkRef& chunk) {
  const MutexLock lock(mutex_);
  kept_.finish(chunk.id);
}

bool ChunkReader::is_cached(const ChunkRef& chunk) const {
  return environment_.images.contains(chunk.id) || environment_.cache.contains(chunk.id);
}

uint64_t ChunkReader::cache_bytes() const {
  return std::max(environment_.images.stats().capacity_bytes, environment_.cache.stats().capacity_bytes);
}

void ChunkReader::run_aside(Task task) {
  const MutexLock lock(mutex_);
  if (ending_) return;
  ++tasks_;
  environment_.io.submit([this, task = std::move(task)]() mutable {
    task(asides_.get_token());
    task = nullptr;  // what it holds may be the last of a reader's
    count_out();
  });
}

void ChunkReader::count_out() {
  const MutexLock lock(mutex_);
  if (--tasks_ == 0) idle_.notify_all();
}

bool ChunkReader::is_local(const ChunkRef& chunk) const {
  {
    const MutexLock lock(mutex_);
    if (kept_.find(chunk.id) || flights_.contains(chunk.id)) return true;
  }
  return is_cached(chunk);
}

void ChunkReader::drop_memory() {
  ResidentChunks::Dropped dropped;
  const MutexLock lock(mutex_);
  kept_.drop_all(dropped);
}

SharedBuffer ChunkReader::use_resident(const ChunkRef& chunk, uint64_t size_bytes) {
  const MutexLock lock(mutex_);
  return kept_.use(chunk.id, size_bytes);
}

// Brings the chunk to a reader who takes `used_bytes` of it. A flight that is under way is joined before memory is
// asked for, since that has its memory; and once more afterwards, as the wait for memory may have been long.
Result<SharedBuffer> ChunkReader::fly(const Wanted& wanted, uint64_t used_bytes, const RequestContext& context) {
  const ChunkRef& chunk = wanted.chunk;
  while (true) {
    FlightPtr flight = join(chunk);
    if (!flight) {
      auto lease = environment_.memory.acquire(flight_bytes(chunk), context);
      if (!lease) return fail(in_chunk(chunk, lease.error()));
      flight = join_or_launch(wanted, context.cause, std::move(*lease));
    }
    auto outcome = wait(flight, context);
    // A prefetch that failed is nobody's business but its own: this reader then tries for itself.
    const bool again = !outcome && flight->cause == Cause::prefetch && may_pass(outcome.error().code());
    if (again && context.cause != Cause::prefetch && context.check()) continue;
    if (outcome) (void)use_resident(chunk, used_bytes);
    return outcome;
  }
}

ChunkReader::FlightPtr ChunkReader::join(const ChunkRef& chunk) {
  const MutexLock lock(mutex_);
  return join_locked(chunk);
}

ChunkReader::FlightPtr ChunkReader::join_or_launch(const Wanted& wanted, Cause cause, MemoryBudget::Lease lease) {
  const MutexLock lock(mutex_);
  FlightPtr flight = join_locked(wanted.chunk);
  if (flight) return flight;
  flight = launch_locked(wanted, cause, std::move(lease));
  flight->waiters = 1;
  return flight;
}

// The flight under way, with one more waiter; or one that has landed, if the chunk is resident; or nullptr.
ChunkReader::FlightPtr ChunkReader::join_locked(const ChunkRef& chunk) {
  if (SharedBuffer buffer = kept_.find(chunk.id)) {
    auto landed = std::make_shared<Flight>(Wanted{chunk, nullptr, Source::store}, Cause::demand, MemoryBudget::Lease());
    landed->waiters = 1;
    landed->outcome = std::move(buffer);
    return landed;
  }
  const auto found = flights_.find(chunk.id);
  if (found == flights_.end()) return nullptr;
  const FlightPtr& flight = found->second;
  ++flight->waiters;
  // Now somebody waits for it: let it overtake the other prefetches. The task that comes second finds it started.
  if (!flight->started && flight->cause == Cause::prefetch) submit_locked(flight);
  return flight;
}

ChunkReader::FlightPtr ChunkReader::launch_locked(const Wanted& wanted, Cause cause, MemoryBudget::Lease lease) {
  if (cause == Cause::prefetch) prefetching_bytes_ += lease.size_bytes();
  auto flight = std::make_shared<Flight>(wanted, cause, std::move(lease));
  if (ending_) flight->stop.request_stop();
  flights_[wanted.chunk.id] = flight;
  submit_locked(flight);
  return flight;
}

void ChunkReader::submit_locked(const FlightPtr& flight) {
  ++tasks_;
  const bool awaited = flight->cause != Cause::prefetch || flight->waiters > 0;
  auto task = [this, flight] { run(flight); };
  awaited ? environment_.io.submit_urgent(std::move(task)) : environment_.io.submit(std::move(task));
}

Result<SharedBuffer> ChunkReader::wait(const FlightPtr& flight, const RequestContext& context) {
  bool abandoned = false;
  Result<void> landed;
  {
    const WithoutSlot waiting;
    MutexLock lock(mutex_);
    landed = flight->landed.wait(lock, context, [&flight] { return flight->outcome.has_value(); });
    abandoned = leave_locked(flight);
    if (flight->outcome) return *flight->outcome;
  }
  // Without the lock: stopping runs the callbacks of whatever the flight is waiting in.
  if (abandoned) flight->stop.request_stop();
  return fail(in_chunk(flight->chunk, landed.error()));
}

// One waiter less; true if nobody waits for the flight any more, and it is now to be cancelled.
bool ChunkReader::leave_locked(const FlightPtr& flight) {
  --flight->waiters;
  if (flight->outcome || flight->waiters > 0 || !flight->callbacks.empty()) return false;
  // The next reader must not join a flight that is about to fail.
  const auto found = flights_.find(flight->chunk.id);
  if (found != flights_.end() && found->second == flight) flights_.erase(found);
  return true;
}

bool ChunkReader::attach_locked(const ChunkRef& chunk, Done& done) {
  const auto found = flights_.find(chunk.id);
  if (found == flights_.end()) return false;
  found->second->callbacks.push_back(std::move(done));
  return true;
}

Result<MemoryBudget::Lease> ChunkReader::lease_for_prefetch(uint64_t size_bytes) {
  if (environment_.memory.contended()) return fail(Errc::no_space, "a reader waits for memory");
  if (environment_.images.is_behind()) return fail(Errc::no_space, "the cache's disk is behind");
  ResidentChunks::Dropped dropped;
  {
    const MutexLock lock(mutex_);
    const uint64_t share = environment_.memory.limit_bytes() / kPrefetchShare;
    kept_.give_up_unread(environment_.clock.steady_now() - kReaderPatience);
    if (prefetching_bytes_ + kept_.unread_bytes() + size_bytes > share) {
      return fail(Errc::no_space, "prefetches fill their share of {} of the memory budget", human_bytes(share));
    }
  }
  auto lease = environment_.memory.try_acquire(size_bytes);
  if (lease) return lease;
  {
    const MutexLock lock(mutex_);
    kept_.make_room_for_prefetch(size_bytes, dropped);
  }
  dropped.clear();
  return environment_.memory.try_acquire(size_bytes);
}

// A prefetch that a reader has joined was submitted twice: the task that comes second finds it started. The last task
// is counted out with the lock held, because the destructor goes on as soon as it may take it.
void ChunkReader::run(const FlightPtr& flight) {
  bool mine = false;
  {
    const MutexLock lock(mutex_);
    mine = !std::exchange(flight->started, true);
  }
  if (mine) land(flight, contained([&] { return bring(*flight); }));
  count_out();
}

Result<SharedBuffer> ChunkReader::bring(Flight& flight) {
  const ChunkRef& chunk = flight.chunk;
  const auto context =
      RequestContext::within(environment_.options.operation_timeout, flight.cause, flight.stop.get_token());
  if (auto wanted = context.check(); !wanted) return fail(in_chunk(chunk, wanted.error()));
  std::optional<Buffer> found = flight.source == Source::cache_or_store ? find_on_disk(chunk) : std::nullopt;
  const bool is_kept = found && !flight.image;
  if (!found) {
    auto plain = fetch_verified(chunk, context);
    if (!plain) return fail(in_chunk(chunk, plain.error()));
    found = std::move(*plain);
  }
  flight.lease.shrink_to(chunk.size);
  SharedBuffer shared = share(std::move(*found), std::move(flight.lease));
  if (!is_kept) keep_on_disk(flight, shared);
  return shared;
}

std::optional<Buffer> ChunkReader::find_on_disk(const ChunkRef& chunk) {
  const bool in_image = environment_.images.contains(chunk.id);
  if (!in_image && !environment_.cache.contains(chunk.id)) return std::nullopt;
  Buffer plain = Buffer::placed(chunk.size, chunk.offset % Buffer::kPageBytes);
  const bool is_read = (in_image && environment_.images.read(chunk, 0, plain.mutable_view())) ||
                       environment_.cache.read(chunk.id, 0, plain.mutable_view());
  return is_read ? std::optional(std::move(plain)) : std::nullopt;
}

// Only once it is verified: what is on this disk is believed to be the chunk. What an image has already stays.
void ChunkReader::keep_on_disk(const Flight& flight, const SharedBuffer& plain) {
  if (flight.image) return flight.image->put(flight.chunk, plain);
  environment_.cache.put(flight.chunk.id, plain);
}

Result<Buffer> ChunkReader::fetch_verified(const ChunkRef& chunk, const RequestContext& context) {
  auto plain = fetch_once(chunk, context);
  if (plain || plain.error().code() != Errc::corrupt) return plain;
  // Once more: the bytes may have been damaged on their way.
  log::warning("chunk {}: {}; fetching it again", chunk.id.short_hex(), plain.error().message());
  plain = fetch_once(chunk, context);
  if (!plain && plain.error().code() == Errc::corrupt) environment_.damaged.add(chunk.id);
  return plain;
}

Result<Buffer> ChunkReader::fetch_once(const ChunkRef& chunk, const RequestContext& context) {
  // The bytes come to lie in memory as they do in the file, so that an image's disk can take them from there.
  const size_t skew = chunk.offset % Buffer::kPageBytes;
  const auto object_skew = static_cast<uint16_t>((skew - kChunkHeaderBytes) % Buffer::kPageBytes);
  auto object = environment_.objects.get(keys::chunk(chunk.id),
                                         {.most_bytes = flight_bytes(chunk), .skew = object_skew}, context);
  if (!object) {
    if (object.error().code() != Errc::not_found) return object;
    environment_.damaged.add(chunk.id);
    return fail(Errc::not_found, "missing from the store: run `cairnfs check`");
  }
  StoreCounters& counters = environment_.counters;
  ++counters.chunks_fetched;
  counters.fetched_bytes += object->size();
  if (context.cause == Cause::prefetch) ++counters.chunks_prefetched;

  const auto room = environment_.decoding.acquire(decoding_bytes(object->view(), chunk.size), context);
  if (!room) return fail(room.error());
  auto plain = decode_chunk(std::move(*object), chunk.size, skew);
  auto verified = plain ? verify(chunk, plain->view()) : Result<void>(fail(plain.error()));
  if (verified) environment_.known.prove(chunk.id, chunk.checksum);
  if (verified) return plain;
  if (verified.error().code() == Errc::corrupt) ++counters.corrupt_objects;
  return fail(std::move(verified).error());
}

Result<void> ChunkReader::verify(const ChunkRef& chunk, ByteView plain) const {
  if (xxh3_128(plain) != chunk.checksum) return fail(Errc::corrupt, "its bytes do not match their checksum");
  if (environment_.options.verify_digest && sha256(plain) != chunk.id) {
    return fail(Errc::corrupt, "its bytes do not match their SHA-256");
  }
  return {};
}

// The flight goes and its chunk becomes resident under one lock: a reader that comes finds the one or the other, and
// never launches a second flight in between. Callbacks and freed memory come after the lock, as both take others.
void ChunkReader::land(const FlightPtr& flight, Result<SharedBuffer> outcome) {
  std::vector<Done> callbacks;
  ResidentChunks::Dropped dropped;
  {
    const MutexLock lock(mutex_);
    const ChunkId& id = flight->chunk.id;
    const auto found = flights_.find(id);
    if (found != flights_.end() && found->second == flight) flights_.erase(found);
    if (flight->cause == Cause::prefetch) prefetching_bytes_ -= flight_bytes(flight->chunk);
    const bool unread = flight->cause == Cause::prefetch && flight->waiters == 0;
    if (outcome) kept_.keep(id, *outcome, unread, environment_.clock.steady_now(), dropped);
    // A thread that waits for memory called the reclaimer before this chunk was resident, and does not call it again:
    // so as much is freed here as has come in.
    if (outcome && environment_.memory.contended()) kept_.make_room((*outcome)->size(), dropped);
    callbacks = std::move(flight->callbacks);
    flight->outcome = outcome;
    flight->landed.notify_all();
  }
  dropped.clear();
  for (const Done& done : callbacks) done(outcome);
}

void ChunkReader::reclaim(uint64_t wanted_bytes) {
  ResidentChunks::Dropped dropped;
  const MutexLock lock(mutex_);
  kept_.make_room(wanted_bytes, dropped);
}

}  // namespace cairn
