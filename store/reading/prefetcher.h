// Brings the chunks that a file's readers will want next.
#pragma once

#include <memory>

#include "base/wait.h"
#include "store/chunks/chunk_reader.h"
#include "store/reading/page_sink.h"
#include "store/reading/read_streams.h"

namespace cairn {

// One per open version, shared by all its readers. Once their reads form a stream, the chunks ahead of it are fetched,
// at most StoreOptions::prefetch_chunks of them at a time, and in proportion to what the stream has read already; the
// window moves with the reader. With a page sink they also go to the kernel, cached chunks too, all but the first
// pages of each chunk: the reader's fault there is how the window learns that it moved.
//
// Thread-safety: all methods may be called from any thread; no lock is held over a call of the sink or the ChunkReader.
// Failures: none that a reader sees. A chunk that finds no memory is asked for again when the stream moves.
class Prefetcher : public std::enable_shared_from_this<Prefetcher> {
 public:
  Prefetcher(ChunkReader& chunks, ManifestPtr manifest, ImagePtr image, uint32_t chunk_size, uint32_t max_chunks);

  // Somebody reads [offset, offset + length).
  void observe(uint64_t offset, uint64_t length);

  // nullptr: no more pushes; returns after the ones in progress.
  void set_sink(PageSink sink);

 private:
  // Chunks first..last-1 of the manifest, for `stream`.
  struct Batch {
    uint64_t stream = 0;
    size_t first = 0;
    size_t last = 0;
    bool push = false;
  };

  Batch plan_locked(const ReadStreams::Position& position) CAIRN_REQUIRES(mutex_);
  [[nodiscard]] size_t first_chunk_from(uint64_t offset) const;
  void start(const Batch& batch);
  void arrived(uint64_t stream, const ChunkRef& chunk, const Result<SharedBuffer>& outcome);
  void push(const ChunkRef& chunk, const SharedBuffer& buffer);

  ChunkReader& chunks_;
  const ManifestPtr manifest_;
  const ImagePtr image_;
  const uint32_t max_chunks_;
  Mutex mutex_;
  ReadStreams streams_ CAIRN_GUARDED_BY(mutex_);
  std::shared_ptr<const PageSink> sink_ CAIRN_GUARDED_BY(mutex_);
  size_t pushing_ CAIRN_GUARDED_BY(mutex_) = 0;  // calls of the sink in progress
  Condition pushed_;
};

}  // namespace cairn
