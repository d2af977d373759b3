// No local cache at all: every read goes to the remote.
#pragma once

#include <atomic>

#include "cache/block_cache.h"

namespace cairn {

class NoBlockCache final : public BlockCache {
 public:
  bool read(const ChunkId&, uint64_t, MutableByteView) override {
    ++misses_;
    return false;
  }
  void put(const ChunkId&, SharedBuffer) override {}
  [[nodiscard]] bool contains(const ChunkId&) const override { return false; }
  void flush() override {}
  void clear() override {}
  [[nodiscard]] BlockCacheStats stats() const override { return {.misses = misses_}; }

 private:
  std::atomic<uint64_t> misses_{0};
};

}  // namespace cairn
