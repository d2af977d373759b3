// Verified chunks that stay in memory for as long as nobody needs the room.
#pragma once

#include <list>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"

namespace cairn {

// Least recently used chunks go first; those that were prefetched and not read yet go after all others, oldest first.
// What is dropped is handed out instead of freed, so that the owner can free it without holding its lock.
// Thread-safety: none; the owner's mutex guards it.
class KeptChunks {
 public:
  using Dropped = std::vector<SharedBuffer>;

  explicit KeptChunks(uint64_t capacity_bytes) : capacity_(capacity_bytes) {}

  // The chunk, now the most recently used and no longer unread; nullptr if it is not here.
  SharedBuffer use(const ChunkId& id);
  [[nodiscard]] SharedBuffer find(const ChunkId& id) const;
  [[nodiscard]] uint64_t unread_bytes() const { return unread_.size_bytes; }

  // Keeps one more chunk; others go if that is more than the capacity.
  void keep(const ChunkId& id, SharedBuffer buffer, bool unread, Dropped& dropped);
  // Drops chunks until `wanted_bytes` of them had no other holder. Those that have one are freed when it lets go.
  void make_room(uint64_t wanted_bytes, Dropped& dropped);
  // The same, sparing the unread.
  void make_room_among_read(uint64_t wanted_bytes, Dropped& dropped);
  void drop(const ChunkId& id, Dropped& dropped);
  void drop_all(Dropped& dropped);

 private:
  struct Chunk {
    ChunkId id;
    SharedBuffer buffer;
    bool unread;
  };
  struct Queue {
    std::list<Chunk> chunks;  // the next to go in front
    uint64_t size_bytes = 0;
  };

  Queue& queue_of(const Chunk& chunk) { return chunk.unread ? unread_ : read_; }
  // Drops from the front of `queue`; returns how much of `wanted_bytes` is still wanted.
  uint64_t drop_from(Queue& queue, uint64_t wanted_bytes, Dropped& dropped);
  void drop_front(Queue& queue, Dropped& dropped);

  const uint64_t capacity_;
  Queue read_;
  Queue unread_;
  std::unordered_map<ChunkId, std::list<Chunk>::iterator, DigestHash> index_;
};

}  // namespace cairn
