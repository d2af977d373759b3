// The next version of a file, while it is being written.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "store/chunk_writer.h"
#include "store/file_reader.h"

namespace cairn {

// Everything a commit needs to know of published bytes; they are durable in the store.
struct SealedContent {
  Content content;
  uint64_t size_bytes = 0;
  uint32_t chunks_new = 0;
  uint32_t chunks_shared = 0;
  uint64_t stored_bytes = 0;
};

// A base version with staged writes on top: ranges never written are read from the base, so that changing one byte of
// a 100 GB file costs one chunk. Chunks that a sequential writer has left behind are sent while it goes on writing.
//
// Thread-safety: all methods may be called from any thread. No lock is held over a remote call.
// Failures: no_space (local disk; the bytes before it are intact), those of ChunkReader and ChunkWriter.
// Durability: seal() returns once every chunk and the manifest are in the store. keep() makes the unsent rest durable
//   on this machine.
class Draft {
 public:
  // `base` nullptr: an empty file.
  static Result<std::unique_ptr<Draft>> open(StoreEnvironment& environment, ChunkReader& reader, ChunkWriter& writer,
                                             std::shared_ptr<FileReader> base);
  // The draft that an earlier process kept: the staging file, and the part of its description that keep() added.
  ~Draft();

  Result<size_t> read(uint64_t offset, MutableByteView out, const RequestContext& context);
  Result<void> write(uint64_t offset, ByteView bytes);
  // ftruncate(2): what lies past a shorter size is gone, also from the base; past a longer one are zeros.
  Result<void> truncate(uint64_t size_bytes);
  // Zeros in place of what was there, reported as a hole (FALLOC_FL_PUNCH_HOLE / ZERO_RANGE). Does not change the size.
  Result<void> punch(uint64_t offset, uint64_t length);
  // Reserves local disk for a write to come, extending the file unless `keep_size`.
  Result<void> allocate(uint64_t offset, uint64_t length, bool keep_size);
  [[nodiscard]] std::optional<uint64_t> seek_data(uint64_t offset) const;
  [[nodiscard]] std::optional<uint64_t> seek_hole(uint64_t offset) const;

  [[nodiscard]] uint64_t size_bytes() const;
  // Changed since it was opened or last sealed.
  [[nodiscard]] bool dirty() const;

  // Waits for the chunks under way, stores the rest and the manifest. Writes that arrive meanwhile are not part of it
  // and leave the draft dirty. After an error the draft is as dirty as before and seal may be called again.
  Result<SealedContent> seal(const RequestContext& context);

  // Makes the draft survive this process. `identity` is the caller's, given back by recover().
  Result<void> keep(const std::string& identity);
  // The bytes are published: nothing is left to keep.
  void release();

 private:
  Draft() = default;
};

// What an earlier process kept, open again. A staging file whose description or base cannot be read is an error in
// `failures`, and stays kept.
struct RecoveredDraft {
  std::string identity;
  std::unique_ptr<Draft> draft;
};
Result<std::vector<RecoveredDraft>> recover_drafts(StoreEnvironment& environment, ChunkReader& reader,
                                                   ChunkWriter& writer, const RequestContext& context);

}  // namespace cairn
