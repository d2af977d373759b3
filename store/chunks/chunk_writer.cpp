#include "store/chunks/chunk_writer.h"

#include <utility>

#include "base/contained.h"
#include "store/chunks/put_or_replace.h"
#include "store/format/keys.h"

namespace cairn {

// One chunk on its way: identify (compute), encode (compute), send (a sender), deliver.
struct ChunkWriter::Parcel {
  uint64_t offset = 0;
  SharedBuffer plain;
  MemoryBudget::Lease lease;
  RequestContext context;
  Done done;
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
                        Done done) {
  auto parcel =
      std::make_shared<Parcel>(Parcel{offset, std::move(plain), std::move(lease), std::move(context), std::move(done)});
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
  if (known_.contains(id) && !environment_.damaged.contains(id)) return deliver_shared(parcel);
  {
    const MutexLock lock(mutex_);
    const auto [place, leads] = sending_.try_emplace(id);
    if (!leads) {
      place->second.push_back(parcel);
      return;
    }
  }
  encode(parcel);
}

void ChunkWriter::encode(const ParcelPtr& parcel) {
  if (auto wanted = parcel->context.check(); !wanted) return failed(parcel, wanted.error());
  const auto encoded = contained([&]() -> Result<void> {
    parcel->object = encode_chunk(parcel->plain->view(), environment_.options.compression_level);
    return {};
  });
  if (!encoded) return failed(parcel, encoded.error());
  sends_.submit([this, parcel] { send(parcel); });
}

void ChunkWriter::send(const ParcelPtr& parcel) {
  // From here on, and not while it was queued: a long queue is no sign of a store that does not answer.
  const auto context = parcel->context.no_longer_than(environment_.options.operation_timeout);
  const ChunkRef& ref = parcel->ref;
  const auto is_whole = [&ref](Buffer object) {
    const auto plain = decode_chunk(std::move(object), ref.size);
    return plain && sha256(plain->view()) == ref.id;
  };
  sent(parcel, contained([&]() -> Result<void> {
         if (auto wanted = context.check(); !wanted) return wanted;
         return put_or_replace(environment_, ref.id, keys::chunk(ref.id), parcel->object.view(), is_whole, context);
       }));
}

void ChunkWriter::sent(const ParcelPtr& parcel, const Result<void>& put) {
  const bool was_there = !put && put.error().code() == Errc::already_exists;
  if (!put && !was_there) return failed(parcel, put.error());
  const ChunkId& id = parcel->ref.id;
  known_.add(id);
  const std::vector<ParcelPtr> followers = take_followers(id);
  if (was_there) {
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
