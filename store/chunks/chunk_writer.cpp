#include "store/chunks/chunk_writer.h"

#include <utility>

#include "base/contained.h"
#include "store/format/keys.h"

namespace cairn {

// One chunk on its way: identify (compute), look (a sender; only what is listed), encode (compute), send (a sender),
// deliver.
struct ChunkWriter::Parcel {
  uint64_t offset = 0;
  SharedBuffer plain;
  MemoryBudget::Lease lease;
  RequestContext context;
  Done done;
  Keep keep;
  ChunkRef ref{};
  Buffer object{};
};

ChunkWriter::ChunkWriter(StoreEnvironment& environment, size_t senders)
    : environment_(environment), sends_("send", senders) {}

ChunkWriter::~ChunkWriter() {
  MutexLock lock(mutex_);
  idle_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return parcels_ == 0; });
}

void ChunkWriter::store(uint64_t offset, SharedBuffer plain, MemoryBudget::Lease lease, RequestContext context,
                        Done done, Keep keep) {
  auto parcel = std::make_shared<Parcel>(
      Parcel{offset, std::move(plain), std::move(lease), std::move(context), std::move(done), keep});
  {
    const MutexLock lock(mutex_);
    ++parcels_;
  }
  environment_.compute.submit([this, parcel] { identify(parcel); });
}

void ChunkWriter::identify(const ParcelPtr& parcel) {
  const ByteView plain = parcel->plain->view();
  parcel->ref = {parcel->offset, static_cast<uint32_t>(plain.size()), sha256(plain), xxh3_128(plain)};
  const ChunkId& id = parcel->ref.id;
  if (parcel->keep == Keep::here) environment_.cache.put(id, parcel->plain);
  const bool is_damaged = environment_.damaged.contains(id);
  if (environment_.known.is_proven(id, parcel->ref.checksum) && !is_damaged) return deliver_shared(parcel);
  {
    const MutexLock lock(mutex_);
    const auto [place, leads] = sending_.try_emplace(id);
    if (!leads) {
      place->second.push_back(parcel);
      return;
    }
  }
  if (!environment_.known.is_listed(id) || is_damaged) return encode(parcel);
  sends_.submit([this, parcel] { look(parcel); });
}

NamedObject ChunkWriter::object_of(const ParcelPtr& parcel) const {
  const auto is_whole = [this, parcel](Buffer object) -> Result<bool> {
    const ChunkRef& ref = parcel->ref;
    const auto room = environment_.decoding.acquire(decoding_bytes(object.view(), ref.size), parcel->context);
    if (!room) return fail(room.error());
    const auto plain = decode_chunk(std::move(object), ref.size);
    if (!plain && plain.error().code() != Errc::corrupt) return fail(plain.error());
    return plain && sha256(plain->view()) == ref.id;
  };
  const ChunkRef& ref = parcel->ref;
  return {ref.id, ref.checksum, keys::chunk(ref.id), uint64_t{ref.size} + kChunkHeaderBytes, is_whole};
}

// Fetching what should be there is no more than sending it in vain, and then fetching it, would be.
void ChunkWriter::look(const ParcelPtr& parcel) {
  const auto found = contained([&]() -> Result<Found> {
    if (auto wanted = parcel->context.check(); !wanted) return fail(wanted.error());
    return look_at(environment_, object_of(parcel), parcel->context);
  });
  if (!found) return failed(parcel, found.error());
  if (*found == Found::whole) return sent(parcel, Put::was_there);
  environment_.compute.submit([this, parcel] { encode(parcel); });
}

void ChunkWriter::encode(const ParcelPtr& parcel) {
  if (auto wanted = parcel->context.check(); !wanted) return failed(parcel, wanted.error());
  const auto encoded = contained([&]() -> Result<void> {
    parcel->object = encode_chunk(parcel->plain->view(), environment_.options.compression_level);
    return {};
  });
  if (!encoded) return failed(parcel, encoded.error());
  parcel->plain = nullptr;  // its memory is for what may be found in the object's place
  sends_.submit([this, parcel] { send(parcel); });
}

// Its time begins here, and not while it was queued: a long queue is no sign of a store that does not answer.
void ChunkWriter::send(const ParcelPtr& parcel) {
  sent(parcel, contained([&]() -> Result<Put> {
         if (auto wanted = parcel->context.check(); !wanted) return fail(wanted.error());
         return put_whole(environment_, object_of(parcel), parcel->object.view(), parcel->context);
       }));
}

void ChunkWriter::sent(const ParcelPtr& parcel, const Result<Put>& put) {
  if (!put) return failed(parcel, put.error());
  const std::vector<ParcelPtr> followers = take_followers(parcel->ref.id);
  if (*put == Put::was_there) {
    deliver_shared(parcel);
  } else {
    ++environment_.counters.chunks_sent;
    environment_.counters.sent_bytes += parcel->object.size();
    deliver(parcel, StoredChunk{parcel->ref, true, parcel->object.size()});
  }
  for (const ParcelPtr& follower : followers) deliver_shared(follower);
}

// The followers have deadlines of their own: one of them leads now, and tries again.
void ChunkWriter::failed(const ParcelPtr& parcel, const Error& why) {
  if (const ParcelPtr next = next_leader(parcel->ref.id)) {
    environment_.compute.submit([this, next] { encode(next); });
  }
  deliver(parcel, fail(why.in("chunk " + parcel->ref.id.short_hex())));
}

std::vector<ChunkWriter::ParcelPtr> ChunkWriter::take_followers(const ChunkId& id) {
  const MutexLock lock(mutex_);
  return std::move(sending_.extract(id).mapped());
}

ChunkWriter::ParcelPtr ChunkWriter::next_leader(const ChunkId& id) {
  const MutexLock lock(mutex_);
  const auto place = sending_.find(id);
  if (place->second.empty()) {
    sending_.erase(place);
    return nullptr;
  }
  ParcelPtr next = std::move(place->second.back());
  place->second.pop_back();
  return next;
}

void ChunkWriter::deliver_shared(const ParcelPtr& parcel) {
  ++environment_.counters.chunks_shared;
  environment_.counters.shared_bytes += parcel->ref.size;
  deliver(parcel, StoredChunk{parcel->ref, false, 0});
}

void ChunkWriter::deliver(const ParcelPtr& parcel, Result<StoredChunk> outcome) {
  const Done done = std::move(parcel->done);
  parcel->plain = nullptr;
  parcel->object = {};
  parcel->lease.release();
  done(std::move(outcome));
  const MutexLock lock(mutex_);
  if (--parcels_ == 0) idle_.notify_all();
}

}  // namespace cairn
