// The next version of a file, while it is being written.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/turn.h"
#include "store/chunks/chunk_writer.h"
#include "store/drafts/draft_bytes.h"
#include "store/drafts/draft_chunks.h"
#include "store/drafts/draft_seal.h"
#include "store/drafts/draft_stream.h"
#include "store/reading/file_reader.h"

namespace cairn {

struct KeptDraft;

// A base version with staged writes on top: ranges never written are read from the base, so that changing one byte of
// a 100 GB file costs one chunk. Chunks that a sequential writer has left behind are sent while it goes on writing;
// writing does not wait for that, but where the staging area is short of room: then what was sent does not stay in the
// staging file. See docs/decisions/0004-drafts-over-a-base.md and 0011-giving-back.md.
//
// Thread-safety: all methods may be called from any thread. No lock is held over a remote call.
// Failures: no_space (local disk; the bytes before it are intact), invalid_argument (an offset past 2^63), those of
//   ChunkReader and ChunkWriter.
// Durability: seal() returns once every chunk and the manifest are in the store. keep() makes the unsent rest durable
//   on this machine.
class Draft {
 public:
  // `base` nullptr: an empty file. `user`: whose share of the staging area the draft takes (StagingRoom).
  static Result<std::unique_ptr<Draft>> open(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                                             std::shared_ptr<FileReader> base, uint32_t user = 0);
  // Of no bytes, and dirty: what a truncate makes of any file, without asking for what was in it.
  static Result<std::unique_ptr<Draft>> open_empty(StoreEnvironment& environment, ChunkReader& reader,
                                                   ChunkWriter& writer, uint32_t user = 0);
  // Of no bytes either, and dirty; restore() gives it those of `source`.
  static Result<std::unique_ptr<Draft>> open_blank(StoreEnvironment& environment, ChunkReader& reader,
                                                   ChunkWriter& writer, std::shared_ptr<FileReader> source,
                                                   uint32_t user = 0);
  // Cancels what is being sent and waits for its end. Unsealed writes are gone, unless they were kept.
  ~Draft() = default;
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  Result<size_t> read(uint64_t offset, MutableByteView out, const RequestContext& context);
  // Room in the staging area for a write to come, to be held until it is done. May wait for the store.
  // Failures: those of DraftSpill.
  Result<StagingRoom::Place> take_room(uint64_t offset, uint64_t length, const RequestContext& context);
  Result<void> write(uint64_t offset, ByteView bytes);
  // ftruncate(2): what lies past a shorter size is gone, also from the base; past a longer one are zeros.
  Result<void> truncate(uint64_t size_bytes);
  // Zeros in place of what was there, reported as a hole (FALLOC_FL_PUNCH_HOLE / ZERO_RANGE). Does not change the size.
  Result<void> punch(uint64_t offset, uint64_t length);
  // The bytes of the base in place of what was there, for nothing; extends the file. Failures: invalid_argument: the
  // base ends before.
  Result<void> restore(uint64_t offset, uint64_t length);
  // Reserves local disk for a write to come, extending the file unless `keep_size`. More than the staging area has room
  // for is not reserved: a file that is larger than that finds it while it is written.
  Result<void> allocate(uint64_t offset, uint64_t length, bool keep_size);
  [[nodiscard]] std::optional<uint64_t> seek_data(uint64_t offset) const { return bytes_.seek_data(offset); }
  [[nodiscard]] std::optional<uint64_t> seek_hole(uint64_t offset) const { return bytes_.seek_hole(offset); }

  [[nodiscard]] uint64_t size_bytes() const { return bytes_.size_bytes(); }
  // An upper bound of what SEEK_DATA finds: st_blocks.
  [[nodiscard]] uint64_t data_bytes() const { return bytes_.data_bytes(); }
  [[nodiscard]] const DraftBytes& bytes() const { return bytes_; }
  // There are no bytes but zeros.
  [[nodiscard]] bool is_blank() const { return bytes_.is_blank(); }
  // Of its staging file: a fork has a higher one.
  [[nodiscard]] uint64_t number() const { return bytes_.staging().number(); }
  // Changed since it was opened or last sealed.
  [[nodiscard]] bool dirty() const { return changes_ != sealed_changes_; }

  // Waits for the chunks under way, stores the rest and the manifest. A write that runs at the same time may be part of
  // it or not, and leaves the draft dirty. After an error the draft is as dirty as before and seal may be called again:
  // what was stored meanwhile is not stored twice.
  Result<StoredContent> seal(const RequestContext& context);

  // Another draft with the same bytes, dirty, of `user`; this one goes on existing beside it. Nobody may be writing to
  // this one. Waits for room as a write does. Failures: no_space, io; those of the context.
  Result<std::unique_ptr<Draft>> fork(uint32_t user, const RequestContext& context) const;

  // Leaves word of whose bytes these are, and from now on of where they are, for after a crash of this process. Cheap,
  // and not durable. `identity` is the caller's, given back by take_kept_drafts().
  Result<void> note(const std::string& identity);
  // Makes the draft survive this process and this machine's power. Nobody may be writing to it.
  Result<void> keep(const std::string& identity);
  // keep() for what is about to be published (StagingFile::keep_briefly).
  Result<void> keep_briefly(const std::string& identity);
  // The bytes are published: nothing is left to keep, and note() is to be called again.
  void release() { bytes_.release(); }
  // They are `version`'s, and nobody will write any more: what is staged of them becomes its image.
  void become_image(FileReader& version);

 private:
  friend Result<std::unique_ptr<Draft>> open_kept_draft(StoreEnvironment&, ChunkReader&, ChunkWriter&, KeptDraft&,
                                                        const RequestContext&);
  Draft(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer, std::unique_ptr<StagingFile> staging,
        std::shared_ptr<FileReader> base, DraftLayout layout, bool is_kept = false);

  Result<void> await_room(StagingRoom& room, const StagingRoom::Place& place, const RequestContext& context) const;
  [[nodiscard]] std::string description(const std::string& identity, const DraftLayout& layout) const;
  // The bytes of [begin, end) are not what they were.
  void changed(uint64_t begin, uint64_t end);
  void stored(const DraftChunks::ChunkPtr& chunk, const std::optional<ChunkRef>& ref);
  DraftParts parts() { return {environment_, reader_, writer_, bytes_, chunks_}; }

  StoreEnvironment& environment_;
  ChunkReader& reader_;
  ChunkWriter& writer_;
  DraftBytes bytes_;
  DraftChunks chunks_;
  DraftStream stream_;  // after what it uses
  Turn sealing_;
  std::atomic<uint64_t> changes_{0};
  std::atomic<uint64_t> sealed_changes_{0};
};

}  // namespace cairn
