// Local files that hold whole versions, as the kernel can read them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/bytes.h"
#include "base/chunk_ref.h"
#include "base/unique_fd.h"
#include "cache/staging_area.h"

namespace cairn {

struct ImageCacheStats {
  uint64_t images = 0;
  uint64_t whole_images = 0;
  uint64_t used_bytes = 0;  // on disk
  uint64_t capacity_bytes = 0;
  uint64_t hits = 0;            // reads answered
  uint64_t corrupt_chunks = 0;  // bytes on the disk that did not match: dropped
  uint64_t evicted_images = 0;
  uint64_t dropped_chunks = 0;  // that found no room, or a disk that refused them
  uint64_t queued_bytes = 0;    // on their way to the disk
  uint64_t scrubbed_bytes = 0;  // read again and compared
};

// One version's content: a linear file of its size, filled chunk by chunk.
// Thread-safety: all methods may be called from any thread.
// Ownership: while somebody holds it, it is not evicted.
class Image {
 public:
  virtual ~Image() = default;

  // Takes a checked chunk of the content to its place. Returns before it is on the disk; `plain` is held until then and
  // counts against the memory budget meanwhile. One that is here already is let go.
  virtual void put(const ChunkRef& chunk, SharedBuffer plain) = 0;

  // Takes over a staging file that nobody writes to any more: it becomes the image, if nothing is here yet. `has` says
  // which chunks' bytes are in it, as they were when they were digested. False: it stays where it is.
  virtual bool adopt(StagingFile& file, const std::function<bool(const ChunkRef& chunk)>& has) = 0;

  [[nodiscard]] virtual bool contains(const ChunkRef& chunk) const = 0;

  // A descriptor from which all bytes of the content can be read, each of them checked when it came; nullptr while some
  // are missing. What was read from it stays readable after an eviction.
  [[nodiscard]] virtual std::shared_ptr<const UniqueFd> whole() const = 0;
};
using ImagePtr = std::shared_ptr<Image>;

// Thread-safety: all methods may be called from any thread at once.
// Failures: none that a reader needs to see: a fault of the disk is a chunk that is not here (counted and logged).
// Durability: survives restarts. Each chunk is checked again before its first use, but for images that were known to be
// whole, and on the disk: those the kernel may read at once.
class ImageCache {
 public:
  virtual ~ImageCache() = default;

  // The image of a file of `size_bytes` that consists of `chunks` and holes; nullptr: files like this have none.
  virtual ImagePtr open(uint64_t size_bytes, const ChunkList& chunks) = 0;

  // Fills `out` with the chunk's bytes from `offset` on, from whichever image has them. False: none has.
  virtual bool read(const ChunkRef& chunk, uint64_t offset, MutableByteView out) = 0;
  [[nodiscard]] virtual bool contains(const ChunkId& id) const = 0;

  // More is on its way to the disk than it should be: who could ask for less, should.
  [[nodiscard]] virtual bool is_behind() const = 0;
  // Waits until what was put so far is on the disk, or dropped.
  virtual void flush() = 0;
  // Forgets everything that nobody holds.
  virtual void clear() = 0;

  [[nodiscard]] virtual ImageCacheStats stats() const = 0;
};

}  // namespace cairn
