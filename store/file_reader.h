// One published version as bytes to read.
#pragma once

#include <functional>
#include <memory>

#include "store/chunk_reader.h"
#include "store/entry.h"

namespace cairn {

class Prefetcher;

// Receives file bytes that are verified and were not asked for yet, for the kernel's page cache. `bytes` lie within
// `chunk`, which the sink may hold until they are delivered (it counts against the memory budget meanwhile). Called from
// a pool thread that fetches need too, holding no lock of ours: it must queue or drop, not wait for the kernel.
using PageSink = std::function<void(uint64_t offset, ByteView bytes, const SharedBuffer& chunk)>;

// Shared by all who have this version open: the pattern of their reads together steers the prefetch.
// Thread-safety: all methods may be called from any thread.
// Failures: those of ChunkReader; corrupt for a manifest that does not check or does not match the version's size.
class FileReader : public std::enable_shared_from_this<FileReader> {
 public:
  // Loads the manifest object if the content names one; otherwise local.
  static Result<std::shared_ptr<FileReader>> open(StoreEnvironment& environment, ChunkReader& chunks,
                                                  VersionPtr version, const RequestContext& context);
  ~FileReader();

  [[nodiscard]] uint64_t size_bytes() const;
  [[nodiscard]] const Manifest& manifest() const;  // inline content: one hole or no chunks; see inline_bytes()
  [[nodiscard]] bool is_inline() const;

  // Up to out.size() bytes; fewer only at the end of the file. Holes read as zeros.
  Result<size_t> read(uint64_t offset, MutableByteView out, const RequestContext& context);

  // As lseek(2) SEEK_DATA/SEEK_HOLE; nullopt is ENXIO.
  [[nodiscard]] std::optional<uint64_t> seek_data(uint64_t offset) const;
  [[nodiscard]] std::optional<uint64_t> seek_hole(uint64_t offset) const;

  // From now on streamed chunks go to `sink` too; nullptr ends it, after the call in progress.
  void set_page_sink(PageSink sink);

 private:
  FileReader() = default;
};

}  // namespace cairn
