// Brings the chunks that a file's readers will want next.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/wait.h"
#include "store/chunks/chunk_reader.h"
#include "store/format/load_profile.h"
#include "store/reading/page_sink.h"
#include "store/reading/read_streams.h"
#include "store/reading/whole_file.h"

namespace cairn {

// One per open version, shared by all its readers. Once their reads form a stream, the chunks ahead of it are fetched,
// at most StoreOptions::prefetch_chunks of them at a time, and in proportion to what the stream has read already; the
// window moves with the reader. With a page sink they also go to the kernel, cached chunks too, all but the first
// pages of each chunk: the reader's fault there is how the window learns that it moved.
//
// Once the reads say that the file is wanted whole (WholeFile), the rest of it streams: what has been handed to the
// kernel, or is cached, waits in memory for nobody, and what a reader has begun follows him. A version that comes from
// the store then is looked up in the store's load profiles, and leaves one when most of it was read.
//
// Thread-safety: all methods may be called from any thread; no lock is held over a call of the sink or the ChunkReader.
// Failures: none that a reader sees. A chunk that finds no memory is asked for again when the stream moves.
class Prefetcher : public std::enable_shared_from_this<Prefetcher> {
 public:
  // `manifest_id`: the chunk list's name in the store, if it has one.
  Prefetcher(StoreEnvironment& environment, ChunkReader& chunks, ManifestPtr manifest, ImagePtr image,
             std::optional<Digest> manifest_id);

  // Somebody reads [offset, offset + length): before it, and after.
  void observe(uint64_t offset, uint64_t length);
  void served(uint64_t offset, uint64_t length);

  // nullptr: no more pushes; returns after the ones in progress.
  void set_sink(PageSink sink);

  // Called once, by a reader's thread without locks, when readers have touched half of the chunks.
  using HalfRead = std::function<void()>;
  void set_half_read(HalfRead half_read);

 private:
  // Chunks to bring for `stream`.
  struct Batch {
    uint64_t stream = 0;
    std::vector<size_t> chunks;
    bool push = false;
  };
  // What is to be done without the lock once a read was seen.
  struct Work {
    Batch batch;
    bool begin_whole = false;
    bool go_on = false;
    HalfRead half_read;
    LoadOrder order;  // to be saved; empty: not now
  };

  Work observe_locked(uint64_t offset, uint64_t length) CAIRN_REQUIRES(mutex_);
  Batch plan_locked(const ReadStreams::Position& position) CAIRN_REQUIRES(mutex_);
  [[nodiscard]] size_t first_chunk_from(uint64_t offset) const;
  void start(const Batch& batch);
  void arrived(uint64_t stream, size_t index, const Result<SharedBuffer>& outcome);
  bool push(const ChunkRef& chunk, uint64_t begin, const SharedBuffer& buffer);

  void begin_whole(const std::stop_token& stop);
  [[nodiscard]] bool may_keep() const;
  [[nodiscard]] bool has_sink() const;
  [[nodiscard]] bool is_cold() const;
  void stream_whole();
  std::optional<size_t> next_of_whole();
  void arrived_of_whole(size_t index, const Result<SharedBuffer>& outcome);
  void hand_over(size_t index, uint64_t begin, const SharedBuffer& buffer);
  void save(const LoadOrder& order, const std::stop_token& stop);

  StoreEnvironment& environment_;
  ChunkReader& chunks_;
  const ManifestPtr manifest_;
  const ImagePtr image_;
  const std::optional<Digest> manifest_id_;
  const uint32_t max_chunks_;
  mutable Mutex mutex_;
  ReadStreams streams_ CAIRN_GUARDED_BY(mutex_);
  WholeFile whole_ CAIRN_GUARDED_BY(mutex_);
  bool is_streaming_ CAIRN_GUARDED_BY(mutex_) = false;   // a thread is in stream_whole()
  bool wants_profile_ CAIRN_GUARDED_BY(mutex_) = false;  // the version has none yet, and this load is a cold one
  HalfRead half_read_ CAIRN_GUARDED_BY(mutex_);          // empty: called, or nobody asks
  std::vector<std::weak_ptr<const Buffer>> pushed_chunks_ CAIRN_GUARDED_BY(mutex_);  // that the sink may still hold
  std::shared_ptr<const PageSink> sink_ CAIRN_GUARDED_BY(mutex_);
  size_t pushing_ CAIRN_GUARDED_BY(mutex_) = 0;  // calls of the sink in progress
  Condition pushed_;
};

}  // namespace cairn
