// Verified chunks that stay in memory for as long as nobody needs the room.
#pragma once

#include <array>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"

namespace cairn {

// Each chunk is done (all its bytes have been delivered to readers), begun (a reader is in the middle of it) or unread
// (prefetched, and its reader has not come yet). When room is needed, done chunks go first and then begun ones, the
// least recently used in front; unread chunks go last, the oldest in front. A chunk that goes too early is fetched
// again, several times if it is read in small parts; not while others hold its bytes, which are found as long. Dropped
// chunks are handed out instead of freed, so that the owner
// can free them without holding its lock. Thread-safety: none; the owner's mutex guards it.
class ResidentChunks {
 public:
  using Dropped = std::vector<SharedBuffer>;

  // Done chunks stay as long as all chunks together take no more than `fair_bytes`.
  explicit ResidentChunks(uint64_t fair_bytes) : fair_bytes_(fair_bytes) {}

  // A reader takes `size_bytes` of the chunk, which is the most recently used one now; nullptr if it is not here.
  SharedBuffer use(const ChunkId& id, uint64_t size_bytes);
  // The kernel has got `size_bytes` of the chunk, which its reader will not come for. An unread chunk stays unread.
  void delivered(const ChunkId& id, uint64_t size_bytes);
  // Nobody's coming is waited for any more: the chunk is done.
  void finish(const ChunkId& id);
  // The chunk, without a reader's use of it; nullptr if it is not here.
  [[nodiscard]] SharedBuffer find(const ChunkId& id) const;
  [[nodiscard]] uint64_t unread_bytes() const { return queues_[kUnread].size_bytes; }

  // Adds a chunk, `unread` or begun. Only done chunks are dropped for it.
  void keep(const ChunkId& id, SharedBuffer buffer, bool unread, SteadyTime now, Dropped& dropped);
  // Unread chunks that were added before `then` count as done: their readers have gone elsewhere.
  void give_up_unread(SteadyTime then);
  // Drops chunks of `wanted_bytes` together: first the chunks that are held here alone, as dropping any other one frees
  // its memory only when its other holders let go.
  void make_room(uint64_t wanted_bytes, Dropped& dropped);
  // The same, but for unread chunks, and for begun ones as long as those take no more than `fair_bytes`.
  void make_room_for_prefetch(uint64_t wanted_bytes, Dropped& dropped);
  void drop_all(Dropped& dropped);

 private:
  enum Progress : size_t { kDone, kBegun, kUnread };  // in the order in which chunks go
  struct Chunk {
    ChunkId id;
    SharedBuffer buffer;
    Progress progress;
    uint64_t left_bytes;  // not delivered yet
    SteadyTime since;     // when it was added
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
  [[nodiscard]] SharedBuffer find_elsewhere(const ChunkId& id) const;

  const uint64_t fair_bytes_;
  std::array<Queue, 3> queues_;  // by Progress
  uint64_t size_bytes_ = 0;      // of all chunks
  std::unordered_map<ChunkId, Position, DigestHash> index_;
  std::unordered_map<ChunkId, std::weak_ptr<const Buffer>, DigestHash> elsewhere_;  // dropped, and perhaps still held
};

}  // namespace cairn
