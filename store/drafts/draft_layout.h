// Which bytes of a draft come from where.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "store/reading/file_reader.h"

namespace cairn {

// A draft is a base version with writes on top: each byte is staged (in the staging file, at the same offset), sent (in
// a chunk that the store has, and no longer in the staging file), a zero that was made on purpose, or the base's, up to
// where the base was cut. All else reads as zeros.
// A value: copy it to look at a draft as it was at one moment. Thread-safety: none.
class DraftLayout {
 public:
  enum class Source { staged, sent, base, zeros };
  using SentChunk = std::shared_ptr<const ChunkRef>;
  // A stretch with one source.
  struct Piece {
    uint64_t offset = 0;
    uint64_t length = 0;
    Source source = Source::zeros;
    SentChunk chunk{};  // that it is part of, if it was sent
    [[nodiscard]] uint64_t end() const { return offset + length; }
  };
  // What was written or punched over the base: start -> end and kind.
  struct Extent {
    uint64_t end = 0;
    bool staged = false;
    SentChunk chunk{};  // sent; if there is none and it is not staged: zeros
    [[nodiscard]] bool is_like(const Extent& other) const { return staged == other.staged && chunk == other.chunk; }
    // By what the chunk is.
    bool operator==(const Extent& other) const;
  };
  using Extents = std::map<uint64_t, Extent>;

  DraftLayout() = default;
  explicit DraftLayout(uint64_t base_bytes) : size_(base_bytes), base_limit_(base_bytes) {}
  // As kept by an earlier process.
  DraftLayout(uint64_t size_bytes, uint64_t base_limit, Extents extents);

  void write(uint64_t offset, uint64_t length);
  void truncate(uint64_t size_bytes);
  // Within the size; what lies past it is ignored.
  void punch(uint64_t offset, uint64_t length);
  // The base's bytes again, or for the first time; within its size. What was there is gone.
  void restore(uint64_t offset, uint64_t length);
  // All of `chunk`'s bytes within the size are what is there already.
  void sent(const SentChunk& chunk);

  [[nodiscard]] uint64_t size_bytes() const { return size_; }
  [[nodiscard]] uint64_t base_limit() const { return base_limit_; }
  [[nodiscard]] const Extents& extents() const { return extents_; }

  // The longest piece that starts at `offset` (< size_bytes()).
  [[nodiscard]] Piece piece_at(uint64_t offset) const;
  // All of [offset, end) has this source; `end` <= size_bytes().
  [[nodiscard]] bool is_all(Source source, uint64_t offset, uint64_t end) const;
  // Any of [offset, end) has this source.
  [[nodiscard]] bool has_any(Source source, uint64_t offset, uint64_t end) const;
  // How many bytes from the start on were written or punched without a gap.
  [[nodiscard]] uint64_t written_prefix() const { return written_prefix_; }
  [[nodiscard]] uint64_t staged_bytes() const { return staged_bytes_; }
  [[nodiscard]] uint64_t sent_bytes() const { return sent_bytes_; }
  // The first staged piece that ends after `offset`, from there on. Remembers where to begin to look.
  std::optional<Piece> staged_after(uint64_t offset);

  // As lseek(2); `base` is nullptr for a new file.
  [[nodiscard]] std::optional<uint64_t> seek_data(uint64_t offset, const FileReader* base) const;
  [[nodiscard]] std::optional<uint64_t> seek_hole(uint64_t offset, const FileReader* base) const;

 private:
  // The first extent that ends after `offset`.
  [[nodiscard]] Extents::const_iterator extent_after(uint64_t offset) const;
  [[nodiscard]] Piece piece_of(Extents::const_iterator extent, uint64_t offset) const;
  void assign(uint64_t begin, const Extent& extent);
  void erase(uint64_t begin, uint64_t end);
  void count(const Extent& extent, uint64_t begin, uint64_t end, bool added);
  void find_written_prefix();

  uint64_t size_ = 0;
  uint64_t base_limit_ = 0;  // <= size_; the base's bytes from here on are gone
  Extents extents_;          // not overlapping, equal neighbours joined
  uint64_t staged_bytes_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t written_prefix_ = 0;
  uint64_t staged_from_ = 0;  // nothing before it is staged
};

}  // namespace cairn
