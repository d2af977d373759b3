// Images that are whole from the start, for tests of what is read from them.
#pragma once

#include <atomic>
#include <map>
#include <string>

#include "base/mutex.h"
#include "cache/image_cache.h"
#include "store/chunks/chunk_reader.h"
#include "tests/support/test_environment.h"

namespace cairn {

// Reads all of a content when it is opened, and keeps it in a file of its own. evict() and hide() make images come and
// go. Thread-safety: as ImageCache's.
class FileImageCache final : public ImageCache {
 public:
  // Where chunks come from: borrowed until the next call. nullptr: from nowhere, so that there are no images.
  void set_source(ChunkReader* reader) { source_ = reader; }
  // While it is so, chunks are missing everywhere.
  void hide(bool hidden) { hidden_ = hidden; }
  // What nobody holds is gone, its file too.
  void evict() { clear(); }
  [[nodiscard]] const std::filesystem::path& path() const { return directory_.path(); }

  ImagePtr open(uint64_t size_bytes, const ChunkList& chunks) override;
  bool read(const ChunkRef&, uint64_t, MutableByteView) override { return false; }
  [[nodiscard]] bool contains(const ChunkId&) const override { return false; }
  [[nodiscard]] bool is_behind() const override { return false; }
  void flush() override {}
  void clear() override;
  [[nodiscard]] ImageCacheStats stats() const override { return {}; }

 private:
  class FileImage;
  [[nodiscard]] std::shared_ptr<const UniqueFd> fill(const std::string& path, uint64_t size_bytes,
                                                     const std::vector<ChunkRef>& chunks) const;

  const TemporaryDirectory directory_;
  std::atomic<ChunkReader*> source_{nullptr};
  std::atomic<bool> hidden_{false};
  std::atomic<uint64_t> files_{0};
  Mutex mutex_;
  std::map<std::string, ImagePtr> images_ CAIRN_GUARDED_BY(mutex_);  // by what is in them
};

}  // namespace cairn
