// Blocks of chunks in one LMDB file: layout, transactions and checks, and no policy.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/result.h"
#include "cache/cached_chunk.h"
#include "cache/lmdb_read_pool.h"

struct MDB_cursor;
struct MDB_env;
struct MDB_txn;
struct MDB_val;

namespace cairn {

// A chunk of n bytes is stored as blocks of kBlockBytes, the last one shorter. Key: chunk id, then the block's number
// (32 bit, big-endian). Value: the block's checksum, then its plain bytes. The checksum is XXH3-128 of the bytes XORed
// with the key, so a block under another's name is as wrong as one with a flipped bit.
//
// kBlockBytes is chosen so that a value fills its overflow pages exactly; docs/decisions/0005-cache-block-size.md has
// the figures. Reads go through pread(2), not through LMDB's map: a bad disk is then an error and not a SIGBUS, and the
// daemon's resident memory does not grow with the cache. The tree LMDB reads through its map, and a page of it that the
// disk does not give makes the table `damaged`; its environment is then left behind unclosed.
//
// Thread-safety: read() from any number of threads; write() and the rest from one thread at a time, readers allowed.
// Durability: a write() that is done survives the process; the order of writes survives power loss (its last may not).
class LmdbBlockTable {
 public:
  static constexpr uint64_t kBlockPages = 16;
  static constexpr uint64_t kBlockBytes = kBlockPages * 4096 - 16 /* page header */ - 16 /* checksum */;

  struct NewChunk {
    ChunkId id;
    ByteView plain;
  };
  enum class ReadOutcome {
    done,
    missing,  // not here, or not all of it
    corrupt,  // a block does not match its checksum, or cannot be read from the disk
    damaged,  // LMDB itself finds the file wrong: the table is good for nothing any more
  };
  enum class WriteOutcome {
    done,
    map_full,      // nothing was changed: remove something first, or let readers of old pages finish
    disk_refused,  // nothing was changed: the disk is full or faulty; logged
    damaged,
  };

  // `map_bytes` is the size the file never exceeds, unless it already does: then there is room to remove() and
  // compact(). Failures: corrupt (the file is not sound, or of another layout: remove_files() and open again),
  // no_space, io.
  static Result<std::unique_ptr<LmdbBlockTable>> open(const std::string& directory, uint64_t map_bytes);
  static void remove_files(const std::string& directory);
  ~LmdbBlockTable();
  LmdbBlockTable(const LmdbBlockTable&) = delete;
  LmdbBlockTable& operator=(const LmdbBlockTable&) = delete;

  // Every chunk, ordered by id.
  Result<std::vector<CachedChunk>> list() const;

  // Fills `out` from `offset` on; the chunk has `chunk_bytes`, and `out` lies within. Touches only the blocks it needs.
  ReadOutcome read(const ChunkId& id, uint64_t chunk_bytes, uint64_t offset, MutableByteView out) const;

  // Removes, then adds, in one transaction.
  WriteOutcome write(std::span<const ChunkId> removed, std::span<const NewChunk> added);

  // Writes a copy without free pages over this table's own file. The table stays on the old one: close it, open anew.
  Result<void> compact();

  [[nodiscard]] uint64_t file_bytes() const;
  // Somebody has removed the file: its room on the disk comes back when the table goes.
  [[nodiscard]] bool is_removed() const;

  // What a chunk takes of the file: its pages, and its share of the tree's.
  static uint64_t footprint_bytes(uint64_t chunk_bytes);

 private:
  struct EnvironmentCloser {
    void operator()(MDB_env* environment) const;
  };

  struct BlockRef {
    const ChunkId& id;
    uint32_t number;
    uint64_t size_bytes;
  };

  explicit LmdbBlockTable(std::string directory) : directory_(std::move(directory)) {}
  Result<void> start(uint64_t map_bytes);
  void abandon();
  Result<void> check_layout();
  Result<void> find_map();
  ReadOutcome read_block(MDB_cursor* cursor, const BlockRef& block, uint64_t skip, MutableByteView out) const;
  // Fills `out`, which has the size of the whole block.
  ReadOutcome load_block(uint64_t file_offset, const BlockRef& block, MutableByteView out) const;
  int write_once(std::span<const ChunkId> removed, std::span<const NewChunk> added);
  int apply(MDB_txn* transaction, std::span<const ChunkId> removed, std::span<const NewChunk> added);
  int remove_chunk(MDB_cursor* cursor, const ChunkId& id) const;
  [[nodiscard]] bool is_safe_to_free(const MDB_val& value) const;
  void unmap_neighbourhood(const MDB_val& value) const;

  const std::string directory_;
  std::unique_ptr<MDB_env, EnvironmentCloser> environment_;
  std::unique_ptr<LmdbReadPool> readers_;  // after environment_: goes first
  unsigned tree_ = 0;                      // LMDB's handle of the main tree
  int fd_ = -1;                            // LMDB's own
  ByteView map_;                           // where LMDB mapped the file: only to turn its pointers into offsets
};

}  // namespace cairn
