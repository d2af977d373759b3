// The bytes of a draft: a staging file over a base version.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "cache/staging_area.h"
#include "store/drafts/draft_journal.h"
#include "store/drafts/draft_layout.h"

namespace cairn {

// Thread-safety: all methods may be called from any thread. A read that runs beside a write or a truncate sees the
//   bytes before or after it, page by page.
// Failures: those of FileReader (base), io, no_space (what was there before is intact).
class DraftBytes {
 public:
  // `base` nullptr: the layout has no base.
  DraftBytes(std::unique_ptr<StagingFile> staging, std::shared_ptr<FileReader> base, DraftLayout layout)
      : staging_(std::move(staging)), base_(std::move(base)), layout_(std::move(layout)), journal_(*staging_) {}

  Result<size_t> read(uint64_t offset, MutableByteView out, const RequestContext& context) const;
  Result<void> write(uint64_t offset, ByteView bytes);
  // True if the size changed.
  bool truncate(uint64_t size_bytes);
  void punch(uint64_t offset, uint64_t length);
  void restore(uint64_t offset, uint64_t length);
  // Disk for a write to come; where the disk cannot promise that, nothing.
  Result<void> reserve(uint64_t offset, uint64_t length);

  // A copy in a staging file of its own, of bytes that nobody changes meanwhile. Shares the disk's blocks where the
  // file system can.
  Result<std::unique_ptr<StagingFile>> copy_staged(StagingArea& area) const;
  // StagingFile::note with what `describe` makes of the layout as it is now; changes from then on are logged.
  Result<void> note(const std::function<std::string(const DraftLayout&)>& describe);

  [[nodiscard]] DraftLayout layout() const;
  [[nodiscard]] uint64_t size_bytes() const;
  [[nodiscard]] uint64_t staged_prefix() const;
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
  void drop_staged(uint64_t offset, uint64_t length);
  Result<void> read_piece(const DraftLayout::Piece& piece, MutableByteView out, const RequestContext& context) const;

  const std::unique_ptr<StagingFile> staging_;
  const std::shared_ptr<FileReader> base_;
  // Writes share it; a truncate or a punch has it alone, so that no write is recorded in the layout whose bytes have
  // just been cut off. Taken before mutex_.
  mutable SharedMutex disk_;  // orders writes and truncates of the staging file
  mutable Mutex mutex_;
  DraftLayout layout_ CAIRN_GUARDED_BY(mutex_);
  DraftJournal journal_ CAIRN_GUARDED_BY(mutex_);
};

}  // namespace cairn
