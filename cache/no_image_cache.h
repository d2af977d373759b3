// No images: every file is read through the daemon, out of blocks.
#pragma once

#include "cache/image_cache.h"

namespace cairn {

class NoImageCache final : public ImageCache {
 public:
  ImagePtr open(uint64_t, const ChunkList&) override { return nullptr; }
  bool read(const ChunkRef&, uint64_t, MutableByteView) override { return false; }
  [[nodiscard]] bool contains(const ChunkId&) const override { return false; }
  [[nodiscard]] bool is_behind() const override { return false; }
  void flush() override {}
  void clear() override {}
  [[nodiscard]] ImageCacheStats stats() const override { return {}; }
};

}  // namespace cairn
