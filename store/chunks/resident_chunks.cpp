#include "store/chunks/resident_chunks.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace cairn {

namespace {

constexpr size_t kMostElsewhere = 256;  // remembered before those that are gone are forgotten

}  // namespace

SharedBuffer ResidentChunks::use(const ChunkId& id, uint64_t size_bytes) {
  const auto found = index_.find(id);
  if (found == index_.end()) return find_elsewhere(id);
  Chunk& chunk = *found->second;
  chunk.left_bytes -= std::min(chunk.left_bytes, size_bytes);
  move_to(chunk.left_bytes == 0 ? kDone : kBegun, found->second);
  return chunk.buffer;
}

void ResidentChunks::delivered(const ChunkId& id, uint64_t size_bytes) {
  const auto found = index_.find(id);
  if (found == index_.end()) return;
  uint64_t& left = found->second->left_bytes;
  left -= std::min(left, size_bytes);
}

void ResidentChunks::finish(const ChunkId& id) {
  if (const auto found = index_.find(id); found != index_.end()) move_to(kDone, found->second);
}

void ResidentChunks::give_up_unread(SteadyTime then) {
  const auto& unread = queues_[kUnread].chunks;
  while (!unread.empty() && unread.front().since < then) move_to(kDone, queues_[kUnread].chunks.begin());
}

void ResidentChunks::move_to(Progress progress, Position position) {
  Queue& from = queues_[std::exchange(position->progress, progress)];
  Queue& to = queues_[progress];
  from.size_bytes -= position->buffer->size();
  to.size_bytes += position->buffer->size();
  to.chunks.splice(to.chunks.end(), from.chunks, position);
}

SharedBuffer ResidentChunks::find(const ChunkId& id) const {
  const auto found = index_.find(id);
  return found == index_.end() ? find_elsewhere(id) : found->second->buffer;
}

SharedBuffer ResidentChunks::find_elsewhere(const ChunkId& id) const {
  const auto found = elsewhere_.find(id);
  return found == elsewhere_.end() ? nullptr : found->second.lock();
}

void ResidentChunks::keep(const ChunkId& id, SharedBuffer buffer, bool unread, SteadyTime now, Dropped& dropped) {
  if (index_.contains(id)) return;
  const uint64_t size_bytes = buffer->size();
  const Progress progress = unread ? kUnread : kBegun;
  Queue& queue = queues_[progress];
  queue.size_bytes += size_bytes;
  size_bytes_ += size_bytes;
  index_[id] = queue.chunks.insert(queue.chunks.end(), Chunk{id, std::move(buffer), progress, size_bytes, now});
  Queue& done = queues_[kDone];
  while (size_bytes_ > fair_bytes_ && !done.chunks.empty()) drop(done, done.chunks.begin(), dropped);
}

void ResidentChunks::make_room(uint64_t wanted_bytes, Dropped& dropped) { drop_up_to(kUnread, wanted_bytes, dropped); }

void ResidentChunks::make_room_for_prefetch(uint64_t wanted_bytes, Dropped& dropped) {
  wanted_bytes = drop_up_to(kDone, wanted_bytes, dropped);
  const uint64_t begun = queues_[kBegun].size_bytes;
  drop_up_to(kBegun, std::min(wanted_bytes, begun - std::min(begun, fair_bytes_)), dropped);
}

void ResidentChunks::drop_all(Dropped& dropped) {
  make_room(std::numeric_limits<uint64_t>::max(), dropped);
  elsewhere_.clear();
}

uint64_t ResidentChunks::drop_up_to(Progress last, uint64_t wanted_bytes, Dropped& dropped) {
  for (const bool only_idle : {true, false}) {
    for (size_t progress = kDone; progress <= last; ++progress) {
      wanted_bytes = drop_from(queues_[progress], only_idle, wanted_bytes, dropped);
    }
  }
  return wanted_bytes;
}

uint64_t ResidentChunks::drop_from(Queue& queue, bool only_idle, uint64_t wanted_bytes, Dropped& dropped) {
  for (auto at = queue.chunks.begin(); wanted_bytes > 0 && at != queue.chunks.end();) {
    if (only_idle && at->buffer.use_count() > 1) {  // a reader holds it, too
      ++at;
      continue;
    }
    wanted_bytes -= std::min<uint64_t>(wanted_bytes, at->buffer->size());
    at = drop(queue, at, dropped);
  }
  return wanted_bytes;
}

ResidentChunks::Position ResidentChunks::drop(Queue& queue, Position position, Dropped& dropped) {
  queue.size_bytes -= position->buffer->size();
  size_bytes_ -= position->buffer->size();
  index_.erase(position->id);
  if (position->buffer.use_count() > 1) {
    // Whoever holds it lets go soon: the cache's writer, the pusher of pages, a reader.
    if (elsewhere_.size() >= kMostElsewhere)
      std::erase_if(elsewhere_, [](const auto& it) { return it.second.expired(); });
    elsewhere_.insert_or_assign(position->id, position->buffer);
  }
  dropped.push_back(std::move(position->buffer));
  return queue.chunks.erase(position);
}

}  // namespace cairn
