// Verified chunks that stay in memory for as long as nobody needs the room.
#pragma once

#include <array>
#include <list>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"

namespace cairn {

// The first to go are those that were read to their end (as many bytes as they have were delivered), then those in the
// middle of being read, least recently used first; then those that were prefetched and whose reader has not come yet,
// oldest first. To let go of one too early costs fetching it again, several times if it is read in small parts.
// What is dropped is handed out instead of freed, so that the owner can free it without holding its lock.
// Thread-safety: none; the owner's mutex guards it.
class ResidentChunks {
 public:
  using Dropped = std::vector<SharedBuffer>;

  // Chunks that were read to their end are kept as long as all together take no more than `fair_bytes`.
  explicit ResidentChunks(uint64_t fair_bytes) : fair_bytes_(fair_bytes) {}

  // The chunk, of which a reader takes `size_bytes`, as the most recently used; nullptr if it is not here.
  SharedBuffer use(const ChunkId& id, uint64_t size_bytes);
  // The reader will find `size_bytes` of it elsewhere; it is waited for as before.
  void delivered(const ChunkId& id, uint64_t size_bytes);
  [[nodiscard]] SharedBuffer find(const ChunkId& id) const;
  [[nodiscard]] uint64_t unread_bytes() const { return queues_[kUnread].size_bytes; }

  // Keeps one more chunk. Only those that were read to their end may go for it.
  void keep(const ChunkId& id, SharedBuffer buffer, bool unread, SteadyTime now, Dropped& dropped);
  // Readers who have not come for what is kept since before `then` are not waited for any more.
  void give_up_unread(SteadyTime then);
  // Drops chunks of `wanted_bytes` together: those that nobody else holds before any that is freed later, when its
  // holder lets go.
  void make_room(uint64_t wanted_bytes, Dropped& dropped);
  // The same, sparing the unread, and what is being read as long as that takes no more than `fair_bytes`.
  void make_room_for_prefetch(uint64_t wanted_bytes, Dropped& dropped);
  void drop_all(Dropped& dropped);

 private:
  enum Progress : size_t { kDone, kBegun, kUnread };  // in the order in which they go
  struct Chunk {
    ChunkId id;
    SharedBuffer buffer;
    Progress progress;
    uint64_t left_bytes;  // not delivered yet
    SteadyTime since;
  };
  struct Queue {
    std::list<Chunk> chunks;  // the next to go in front
    uint64_t size_bytes = 0;
  };
  using Position = std::list<Chunk>::iterator;

  void move_to(Progress progress, Position position);
  // Both return how much of `wanted_bytes` is still wanted.
  uint64_t drop_up_to(Progress last, uint64_t wanted_bytes, Dropped& dropped);
  uint64_t drop_from(Queue& queue, bool only_idle, uint64_t wanted_bytes, Dropped& dropped);
  Position drop(Queue& queue, Position position, Dropped& dropped);

  const uint64_t fair_bytes_;
  std::array<Queue, 3> queues_;  // by Progress
  uint64_t size_bytes_ = 0;      // of all
  std::unordered_map<ChunkId, Position, DigestHash> index_;
};

}  // namespace cairn
