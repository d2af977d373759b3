// The bytes of a draft: a staging file over a base version, and over chunks that it had once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "cache/staging_area.h"
#include "store/chunks/chunk_reader.h"
#include "store/drafts/draft_journal.h"
#include "store/drafts/draft_layout.h"
#include "store/segments/segment_plan.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread. A read that runs beside a write or a truncate sees the
//   bytes before or after it, page by page.
// Failures: those of FileReader (base) and ChunkReader (what was sent), io, no_space (what was there before is intact).
class DraftBytes {
 public:
  using Describe = std::function<std::string(const DraftLayout&)>;

  // The bytes of [begin, end) are not what they were. Called while nothing can be given back.
  using Changed = std::function<void(uint64_t begin, uint64_t end)>;

  // `base` nullptr: the layout has no base. `chunks` nullptr: nothing was sent. `is_kept`: the staging file was.
  DraftBytes(std::unique_ptr<StagingFile> staging, std::shared_ptr<FileReader> base, ChunkReader* chunks,
             DraftLayout layout, Changed changed = {}, bool is_kept = false);

  // No lock is held while it waits for the store.
  Result<size_t> read(uint64_t offset, MutableByteView out, const RequestContext& context) const;
  Result<void> write(uint64_t offset, ByteView bytes);
  // True if the size changed.
  bool truncate(uint64_t size_bytes);
  void punch(uint64_t offset, uint64_t length);
  void restore(uint64_t offset, uint64_t length);
  // Disk for a write to come; where the disk cannot promise that, nothing.
  Result<void> reserve(uint64_t offset, uint64_t length) const;

  // A copy in a staging file of its own, of bytes that nobody changes meanwhile. Shares the disk's blocks where the
  // file system can.
  Result<std::unique_ptr<StagingFile>> copy_staged(StagingArea& area, uint32_t user,
                                                   const RequestContext& context) const;

  // The store has these bytes, as this chunk, or they are all zeros (without `chunk`): what is staged of them goes, if
  // `is_current` says that they still are these. Not from what is kept, whose description says where its bytes are.
  void give_back(const PlannedChunk& cut, const std::optional<ChunkRef>& chunk,
                 const std::function<bool()>& is_current);
  // StagingFile::note with what `describe` makes of the layout as it is now; changes from then on are logged.
  Result<void> note(const Describe& describe);
  // StagingFile::keep likewise. Nobody may be writing.
  Result<void> keep(const Describe& describe);
  Result<void> keep_briefly(const Describe& describe);
  void release();

  [[nodiscard]] DraftLayout layout() const;
  [[nodiscard]] uint64_t size_bytes() const;
  [[nodiscard]] uint64_t written_prefix() const;
  [[nodiscard]] uint64_t staged_bytes() const;
  std::optional<DraftLayout::Piece> staged_after(uint64_t offset);
  [[nodiscard]] bool has_any(DraftLayout::Source source, uint64_t offset, uint64_t end) const;
  [[nodiscard]] bool is_blank() const;
  // How many bytes are no holes, at most: what is staged over the base's data counts twice.
  [[nodiscard]] uint64_t data_bytes() const;
  [[nodiscard]] std::optional<uint64_t> seek_data(uint64_t offset) const;
  [[nodiscard]] std::optional<uint64_t> seek_hole(uint64_t offset) const;

  [[nodiscard]] const FileReader* base() const { return base_.get(); }
  [[nodiscard]] const std::shared_ptr<FileReader>& shared_base() const { return base_; }
  [[nodiscard]] StagingFile& staging() { return *staging_; }
  [[nodiscard]] const StagingFile& staging() const { return *staging_; }

 private:
  Result<uint64_t> read_piece(uint64_t offset, MutableByteView out, const RequestContext& context) const;
  Result<void> read_elsewhere(const DraftLayout::Piece& piece, MutableByteView out,
                              const RequestContext& context) const;
  void changed(uint64_t begin, uint64_t end);
  void give_nothing_back();
  void punch_disk(uint64_t offset, uint64_t length);

  const std::unique_ptr<StagingFile> staging_;
  const std::shared_ptr<FileReader> base_;
  ChunkReader* const chunks_;
  const Changed changed_;
  // Reads and writes share it; whatever takes bytes out of the staging file has it alone, so that no write is recorded
  // in the layout whose bytes have just been cut off, and no read finds a hole in their place. Taken before mutex_.
  mutable SharedMutex disk_;  // orders reads, writes and cuts of the staging file
  bool kept_ CAIRN_GUARDED_BY(disk_) = false;
  mutable Mutex mutex_;
  DraftLayout layout_ CAIRN_GUARDED_BY(mutex_);
  DraftJournal journal_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
