// Chunks in order of use.
#pragma once

#include <unordered_map>
#include <utility>

#include "base/digest.h"

namespace cairn {

// A hash map from ChunkId to Value that remembers which entry was used last. All operations take constant time.
// Thread-safety: none; its owner locks.
template <class Value>
class LruMap {
 public:
  LruMap() = default;
  LruMap(const LruMap&) = delete;
  LruMap& operator=(const LruMap&) = delete;

  // The value, now the most recently used, or null.
  Value* use(const ChunkId& id) {
    auto found = entries_.find(id);
    if (found == entries_.end()) return nullptr;
    unlink(found->second);
    link_newest(found->second);
    return &found->second.value;
  }

  // The value, its position in the order of use unchanged, or null.
  const Value* peek(const ChunkId& id) const {
    auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : &found->second.value;
  }

  // Adds an entry that is not there yet, as the most recently used.
  void insert(const ChunkId& id, Value value) {
    auto [added, fresh] = entries_.try_emplace(id, std::move(value));
    if (!fresh) return;
    added->second.id = &added->first;
    link_newest(added->second);
  }

  bool erase(const ChunkId& id) {
    auto found = entries_.find(id);
    if (found == entries_.end()) return false;
    unlink(found->second);
    entries_.erase(found);
    return true;
  }

  // The least recently used entry; only when not empty().
  [[nodiscard]] std::pair<ChunkId, const Value*> oldest() const { return {*oldest_->id, &oldest_->value}; }

  void clear() {
    entries_.clear();
    oldest_ = newest_ = nullptr;
  }

  // Calls visit(id, value) for each entry, the least recently used first.
  template <class Visit>
  void for_each_oldest_first(Visit visit) const {
    for (const Entry* entry = oldest_; entry != nullptr; entry = entry->newer) visit(*entry->id, entry->value);
  }

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  // Lives in a node of entries_, which never moves.
  struct Entry {
    explicit Entry(Value v) : value(std::move(v)) {}
    Value value;
    const ChunkId* id = nullptr;
    Entry* older = nullptr;
    Entry* newer = nullptr;
  };

  void link_newest(Entry& entry) {
    entry.older = newest_;
    entry.newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = &entry;
    newest_ = &entry;
  }

  void unlink(Entry& entry) {
    (entry.older != nullptr ? entry.older->newer : oldest_) = entry.newer;
    (entry.newer != nullptr ? entry.newer->older : newest_) = entry.older;
  }

  std::unordered_map<ChunkId, Entry, DigestHash> entries_;
  Entry* oldest_ = nullptr;
  Entry* newest_ = nullptr;
};

}  // namespace cairn
