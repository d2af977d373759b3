#include "store/kept_chunks.h"

#include <algorithm>
#include <limits>

namespace cairn {

SharedBuffer KeptChunks::use(const ChunkId& id) {
  const auto found = index_.find(id);
  if (found == index_.end()) return nullptr;
  const auto chunk = found->second;
  Queue& from = queue_of(*chunk);
  from.size_bytes -= chunk->buffer->size();
  read_.size_bytes += chunk->buffer->size();
  chunk->unread = false;
  read_.chunks.splice(read_.chunks.end(), from.chunks, chunk);
  return chunk->buffer;
}

SharedBuffer KeptChunks::find(const ChunkId& id) const {
  const auto found = index_.find(id);
  return found == index_.end() ? nullptr : found->second->buffer;
}

void KeptChunks::keep(const ChunkId& id, SharedBuffer buffer, bool unread, Dropped& dropped) {
  if (index_.contains(id)) return;
  Queue& queue = unread ? unread_ : read_;
  queue.size_bytes += buffer->size();
  index_[id] = queue.chunks.insert(queue.chunks.end(), Chunk{id, std::move(buffer), unread});
  while (read_.size_bytes + unread_.size_bytes > capacity_) {
    drop_front(read_.chunks.empty() ? unread_ : read_, dropped);
  }
}

void KeptChunks::make_room(uint64_t wanted_bytes, Dropped& dropped) {
  drop_from(unread_, drop_from(read_, wanted_bytes, dropped), dropped);
}

void KeptChunks::make_room_among_read(uint64_t wanted_bytes, Dropped& dropped) {
  drop_from(read_, wanted_bytes, dropped);
}

void KeptChunks::drop(const ChunkId& id, Dropped& dropped) {
  const auto found = index_.find(id);
  if (found == index_.end()) return;
  const auto chunk = found->second;
  Queue& queue = queue_of(*chunk);
  queue.chunks.splice(queue.chunks.begin(), queue.chunks, chunk);
  drop_front(queue, dropped);
}

void KeptChunks::drop_all(Dropped& dropped) { make_room(std::numeric_limits<uint64_t>::max(), dropped); }

uint64_t KeptChunks::drop_from(Queue& queue, uint64_t wanted_bytes, Dropped& dropped) {
  while (wanted_bytes > 0 && !queue.chunks.empty()) {
    const SharedBuffer& next = queue.chunks.front().buffer;
    const bool idle = next.use_count() == 1;
    if (idle) wanted_bytes -= std::min<uint64_t>(wanted_bytes, next->size());
    drop_front(queue, dropped);
  }
  return wanted_bytes;
}

void KeptChunks::drop_front(Queue& queue, Dropped& dropped) {
  Chunk& chunk = queue.chunks.front();
  queue.size_bytes -= chunk.buffer->size();
  index_.erase(chunk.id);
  dropped.push_back(std::move(chunk.buffer));
  queue.chunks.pop_front();
}

}  // namespace cairn
