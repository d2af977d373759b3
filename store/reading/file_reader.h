// One published version as bytes to read.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "store/chunks/chunk_reader.h"
#include "store/format/entry.h"
#include "store/reading/page_sink.h"

namespace cairn {

class Prefetcher;

// Shared by all who have this version open: the pattern of their reads together steers the prefetch.
// Thread-safety: all methods may be called from any thread.
// Failures: those of ChunkReader; corrupt for a manifest that does not check or does not match the version's size.
class FileReader {
 public:
  // Loads the manifest object if the content names one; otherwise local.
  static Result<std::shared_ptr<FileReader>> open(StoreEnvironment& environment, ChunkReader& chunks,
                                                  VersionPtr version, const RequestContext& context);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  [[nodiscard]] const VersionPtr& version() const { return version_; }
  [[nodiscard]] uint64_t size_bytes() const { return version_->size_bytes; }
  [[nodiscard]] bool is_inline() const { return inline_ != nullptr; }
  // The whole content if is_inline(); else empty.
  [[nodiscard]] ByteView inline_bytes() const { return inline_ ? inline_->view() : ByteView(); }
  // The chunks; none if is_inline().
  [[nodiscard]] const Manifest& manifest() const { return *manifest_; }

  // Where the version's chunks belong on this machine; nullptr: among the blocks.
  [[nodiscard]] const ImagePtr& image() const { return image_; }
  // A local file with all of the version's bytes, for the kernel to read by itself (Image::whole); nullptr: there is
  // none, or not yet.
  [[nodiscard]] std::shared_ptr<const UniqueFd> whole_image() const { return image_ ? image_->whole() : nullptr; }

  // Up to out.size() bytes; fewer only at the end of the file. Holes read as zeros. Only reads whose cause is demand
  // form the pattern that steers the prefetch.
  Result<size_t> read(uint64_t offset, MutableByteView out, const RequestContext& context);

  // As lseek(2) SEEK_DATA/SEEK_HOLE; nullopt is ENXIO.
  [[nodiscard]] std::optional<uint64_t> seek_data(uint64_t offset) const;
  [[nodiscard]] std::optional<uint64_t> seek_hole(uint64_t offset) const;

  // From now on streamed chunks go to `sink` too; nullptr ends it, after the call in progress.
  void set_page_sink(PageSink sink);
  // `half_read` is called once, by a reader's thread, when half of the chunks were touched by readers.
  void set_half_read(std::function<void()> half_read);

 private:
  FileReader(ChunkReader& chunks, VersionPtr version, SharedBuffer inline_bytes, ManifestPtr manifest, ImagePtr image);

  void start_fetches(size_t first, uint64_t end);
  Result<void> read_chunks(uint64_t offset, MutableByteView out, const RequestContext& context);

  ChunkReader& chunks_;
  const VersionPtr version_;
  const SharedBuffer inline_;
  const ManifestPtr manifest_;
  const ImagePtr image_;  // nullptr: files like this have none
  std::shared_ptr<Prefetcher> prefetcher_;
};

}  // namespace cairn
