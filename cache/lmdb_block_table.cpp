#include "cache/lmdb_block_table.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "cache/abandoned_file.h"
#include "cache/lmdb_error.h"
#include "cache/lmdb_layout.h"
#include "cache/lmdb_structure_check.h"
#include "cache/local_files.h"

namespace cairn {

namespace {

constexpr uint64_t kChecksumBytes = sizeof(Checksum);
constexpr size_t kIdBytes = sizeof(ChunkId);

struct BlockKey {
  std::array<std::byte, kIdBytes + 4> bytes;

  BlockKey(const ChunkId& id, uint32_t number) {
    std::ranges::copy(id.bytes, bytes.begin());
    for (size_t i = 0; i < 4; ++i) bytes[kIdBytes + i] = static_cast<std::byte>(number >> (24 - 8 * i));
  }
  [[nodiscard]] MDB_val val() { return {bytes.size(), bytes.data()}; }
};

// The one entry that is no block: the layout's version. Its key is no chunk's id: SHA-256 has no known way there.
BlockKey layout_key() {
  ChunkId last;
  last.bytes.fill(std::byte{0xff});
  return {last, ~uint32_t{0}};
}
std::string layout_version() { return fmt::format("cairnfs blocks 1, of {} bytes", LmdbBlockTable::kBlockBytes); }

Checksum checksum_of(const ChunkId& id, uint64_t number, ByteView plain) {
  Checksum checksum = xxh3_128(plain);
  for (size_t i = 0; i < checksum.bytes.size(); ++i) checksum.bytes[i] ^= id.bytes[i];
  for (size_t i = 0; i < 4; ++i) checksum.bytes[i] ^= static_cast<std::byte>(number >> (8 * i));
  return checksum;
}

ByteView view(const MDB_val& val) { return {static_cast<const std::byte*>(val.mv_data), val.mv_size}; }

bool has_id(const MDB_val& key, const ChunkId& id) {
  return key.mv_size == kIdBytes + 4 && std::memcmp(key.mv_data, id.bytes.data(), kIdBytes) == 0;
}

uint64_t page_bytes() {
  static const auto bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

// Whether LMDB keeps a value on overflow pages: it wants two nodes in every page.
bool is_on_overflow_pages(uint64_t value_bytes) {
  const uint64_t largest_node = ((page_bytes() - sizeof(lmdb::PageHeader)) / 2 & ~uint64_t{1}) - sizeof(uint16_t);
  return sizeof(lmdb::NodeHeader) + kIdBytes + 4 + value_bytes > largest_node;
}

// LMDB copies tree pages before it frees others: a file that is too large already needs headroom to be emptied.
uint64_t map_bytes_for(const std::string& data_path, uint64_t wanted_bytes) {
  constexpr uint64_t kHeadroomBytes = 64 << 20;
  struct stat status {};
  const bool exists = ::stat(data_path.c_str(), &status) == 0;
  const auto file_bytes = exists ? static_cast<uint64_t>(status.st_size) : 0;
  return file_bytes > wanted_bytes ? file_bytes + kHeadroomBytes : wanted_bytes / page_bytes() * page_bytes();
}

// LMDB writes its lock table through a shared map: without its blocks on the disk, a full disk would be a SIGBUS.
// The process that has the directory's lock is alone, so a table from before can only be stale.
Result<void> make_lock_table(const std::string& path) {
  constexpr off_t kLockTableBytes =
      64 * (LmdbReadPool::kMaxReaders + 16);  // a cache line for each reader, and a header
  ::unlink(path.c_str());
  auto file = open_file(path, O_RDWR | O_CREAT);
  if (!file) return fail(std::move(file).error());
  const int code = ::posix_fallocate(file->get(), 0, kLockTableBytes);
  if (code != 0) return fail(error_from_errno(code, fmt::format("allocate '{}'", path)));
  return {};
}

bool reads_all(int fd, uint64_t offset, Checksum& checksum, MutableByteView block) {
  iovec parts[] = {{checksum.bytes.data(), checksum.bytes.size()}, {block.data(), block.size()}};
  const ssize_t got = ::preadv(fd, parts, 2, static_cast<off_t>(offset));
  if (got == static_cast<ssize_t>(checksum.bytes.size() + block.size())) return true;
  log::warning("cache: reading a block at {}: {}", offset, got < 0 ? std::strerror(errno) : "the file ends there");
  return false;
}

int put_block(MDB_txn* transaction, MDB_dbi tree, const ChunkId& id, uint32_t number, ByteView plain) {
  BlockKey block_key(id, number);
  MDB_val key = block_key.val();
  MDB_val value{kChecksumBytes + plain.size(), nullptr};
  if (const int code = mdb_put(transaction, tree, &key, &value, MDB_RESERVE); code != 0) return code;
  auto* to = static_cast<std::byte*>(value.mv_data);
  const Checksum checksum = checksum_of(id, number, plain);
  std::memcpy(to, checksum.bytes.data(), kChecksumBytes);
  std::memcpy(to + kChecksumBytes, plain.data(), plain.size());
  return 0;
}

int put_chunk(MDB_txn* transaction, MDB_dbi tree, const LmdbBlockTable::NewChunk& chunk) {
  uint32_t number = 0;
  for (ByteView rest = chunk.plain; !rest.empty(); ++number) {
    const ByteView block = rest.first(std::min<uint64_t>(rest.size(), LmdbBlockTable::kBlockBytes));
    if (const int code = put_block(transaction, tree, chunk.id, number, block); code != 0) return code;
    rest = rest.subspan(block.size());
  }
  return 0;
}

LmdbBlockTable::WriteOutcome write_outcome(int code) {
  using Outcome = LmdbBlockTable::WriteOutcome;
  if (code == 0) return Outcome::done;
  if (code == MDB_MAP_FULL) return Outcome::map_full;
  log::warning("cache: {}", error_from_lmdb(code, "write blocks").to_string());
  return code > 0 ? Outcome::disk_refused : Outcome::damaged;
}

}  // namespace

void LmdbBlockTable::EnvironmentCloser::operator()(MDB_env* environment) const {
  (void)survives_bus_error([environment] { mdb_env_close(environment); });
}

LmdbBlockTable::~LmdbBlockTable() {
  const bool is_broken = readers_ != nullptr && readers_->broken();
  readers_.reset();
  if (is_broken) abandon();
}

// What LMDB was in the middle of cannot be ended. A few kilobytes of its memory and its lock file stay: a mutex of the
// thread may be in there.
void LmdbBlockTable::abandon() {
  (void)environment_.release();
  give_back_file(fd_);
}

Result<std::unique_ptr<LmdbBlockTable>> LmdbBlockTable::open(const std::string& directory, uint64_t map_bytes) {
  if (auto sound = check_lmdb_structure(directory + "/data.mdb", kIdBytes + 4); !sound) {
    return fail(std::move(sound).error());
  }
  std::unique_ptr<LmdbBlockTable> table(new LmdbBlockTable(directory));
  if (auto started = table->start(map_bytes); !started) return fail(std::move(started).error());
  return table;
}

void LmdbBlockTable::remove_files(const std::string& directory) {
  for (const char* name : {"/data.mdb", "/lock.mdb"}) ::unlink((directory + name).c_str());
}

Result<void> LmdbBlockTable::start(uint64_t map_bytes) {
  if (auto made = make_lock_table(directory_ + "/lock.mdb"); !made) return made;
  MDB_env* environment = nullptr;
  if (const int code = mdb_env_create(&environment); code != 0) return fail(error_from_lmdb(code, "create"));
  environment_.reset(environment);
  mdb_env_set_mapsize(environment, map_bytes_for(directory_ + "/data.mdb", map_bytes));
  mdb_env_set_maxreaders(environment, LmdbReadPool::kMaxReaders);
  const unsigned flags = MDB_NOMETASYNC | MDB_NOTLS | MDB_NORDAHEAD;
  if (const int code = mdb_env_open(environment, directory_.c_str(), flags, 0600); code != 0) {
    return fail(error_from_lmdb(code, fmt::format("open LMDB in '{}'", directory_)));
  }
  mdb_env_get_fd(environment, &fd_);
  if (auto sound = check_layout(); !sound) return sound;
  readers_ = std::make_unique<LmdbReadPool>(environment, tree_);
  return find_map();
}

// A new file gets our layout's version; any other must have it.
Result<void> LmdbBlockTable::check_layout() {
  BlockKey layout = layout_key();
  std::string version = layout_version();
  MDB_val key = layout.val();
  MDB_val value{version.size(), version.data()};
  bool is_ours = false;
  const auto look = [&] {
    MDB_txn* transaction = nullptr;
    MDB_stat stat{};
    int code = mdb_txn_begin(environment_.get(), nullptr, 0, &transaction);
    if (code != 0) return code;
    code = mdb_dbi_open(transaction, nullptr, 0, &tree_);
    if (code == 0) code = mdb_stat(transaction, tree_, &stat);
    const bool is_new = code == 0 && stat.ms_entries == 0;
    if (is_new) code = mdb_put(transaction, tree_, &key, &value, 0);
    if (code == 0 && !is_new) code = mdb_get(transaction, tree_, &key, &value);
    is_ours = code == 0 && as_text(view(value)) == version;
    if (code == 0) return mdb_txn_commit(transaction);
    mdb_txn_abort(transaction);
    return code;
  };
  int code = 0;
  if (!survives_bus_error([&] { code = look(); })) {
    abandon();
    return fail(Errc::io, "the disk does not give a page of '{}'", directory_);
  }
  if (code != 0 && code != MDB_NOTFOUND) return fail(error_from_lmdb(code, "read layout"));
  if (!is_ours) return fail(Errc::corrupt, "another layout than '{}'", version);
  return {};
}

// LMDB does not say where its map begins, but every page carries its number, and a key points into its page.
Result<void> LmdbBlockTable::find_map() {
  auto reader = readers_->begin();
  if (!reader) return fail(std::move(reader).error());
  BlockKey layout = layout_key();
  MDB_val key = layout.val();
  MDB_val value;
  const std::byte* page = nullptr;
  lmdb::PageHeader header;
  const int code = readers_->guarded([&] {
    const int found = mdb_cursor_get(reader->cursor(), &key, &value, MDB_SET_KEY);
    if (found != 0) return found;
    page = static_cast<const std::byte*>(key.mv_data) - reinterpret_cast<uintptr_t>(key.mv_data) % page_bytes();
    std::memcpy(&header, page, sizeof header);
    return 0;
  });
  if (code != 0) return fail(error_from_lmdb(code, "find layout"));
  MDB_envinfo info{};
  mdb_env_info(environment_.get(), &info);
  map_ = {page - header.page_number * page_bytes(), info.me_mapsize};
  ::madvise(const_cast<std::byte*>(map_.data()), map_.size(), MADV_DONTDUMP);  // everybody's bytes
  return {};
}

Result<std::vector<CachedChunk>> LmdbBlockTable::list() const {
  auto reader = readers_->begin();
  if (!reader) return fail(std::move(reader).error());
  std::vector<CachedChunk> chunks;
  const BlockKey layout = layout_key();
  BlockKey found = layout;
  MDB_val key{found.bytes.size(), found.bytes.data()};  // a copy: the map is looked at under guard only
  MDB_val value;
  const auto go_to = [&](MDB_cursor_op where) {
    return readers_->guarded([&] {
      MDB_val there;
      const int code = mdb_cursor_get(reader->cursor(), &there, &value, where);
      if (code != 0) return code;
      if (there.mv_size != key.mv_size) return MDB_CORRUPTED;
      std::memcpy(key.mv_data, there.mv_data, there.mv_size);
      return 0;
    });
  };
  int code = go_to(MDB_FIRST);
  for (; code == 0; code = go_to(MDB_NEXT)) {
    if (std::memcmp(key.mv_data, layout.bytes.data(), layout.bytes.size()) == 0) continue;
    if (chunks.empty() || !has_id(key, chunks.back().id)) {
      std::memcpy(chunks.emplace_back().id.bytes.data(), key.mv_data, kIdBytes);
    }
    CachedChunk& chunk = chunks.back();
    const BlockKey expected(chunk.id, static_cast<uint32_t>(chunk.size_bytes / kBlockBytes));
    const bool follows = chunk.size_bytes % kBlockBytes == 0 && std::ranges::equal(view(key), expected.bytes);
    if (!follows || value.mv_size <= kChecksumBytes || value.mv_size > kChecksumBytes + kBlockBytes) {
      return fail(Errc::corrupt, "chunk {} is not whole", chunk.id.short_hex());
    }
    chunk.size_bytes += value.mv_size - kChecksumBytes;
  }
  if (code != MDB_NOTFOUND) return fail(error_from_lmdb(code, "list chunks"));
  return chunks;
}

LmdbBlockTable::ReadOutcome LmdbBlockTable::read(const ChunkId& id, uint64_t chunk_bytes, uint64_t offset,
                                                 MutableByteView out) const {
  const auto reader = readers_->begin();
  if (!reader) return ReadOutcome::damaged;
  while (!out.empty()) {
    const auto number = static_cast<uint32_t>(offset / kBlockBytes);
    const uint64_t skip = offset % kBlockBytes;
    const uint64_t block_bytes = std::min(kBlockBytes, chunk_bytes - number * kBlockBytes);
    const MutableByteView piece = out.first(std::min(out.size(), block_bytes - skip));
    const auto outcome = read_block(reader->cursor(), {id, number, block_bytes}, skip, piece);
    if (outcome != ReadOutcome::done) return outcome;
    offset += piece.size();
    out = out.subspan(piece.size());
  }
  return ReadOutcome::done;
}

LmdbBlockTable::ReadOutcome LmdbBlockTable::read_block(MDB_cursor* cursor, const BlockRef& block, uint64_t skip,
                                                       MutableByteView out) const {
  BlockKey block_key(block.id, block.number);
  MDB_val key = block_key.val();
  MDB_val value;
  const int code = readers_->guarded([&] { return mdb_cursor_get(cursor, &key, &value, MDB_SET); });
  if (code == MDB_NOTFOUND) return ReadOutcome::missing;
  if (code != 0) return ReadOutcome::damaged;
  if (value.mv_size != kChecksumBytes + block.size_bytes) return ReadOutcome::corrupt;
  const auto file_offset = static_cast<uint64_t>(static_cast<const std::byte*>(value.mv_data) - map_.data());
  if (out.size() == block.size_bytes) return load_block(file_offset, block, out);
  Buffer whole(block.size_bytes);
  const auto outcome = load_block(file_offset, block, whole.mutable_view());
  if (outcome == ReadOutcome::done) std::memcpy(out.data(), whole.data() + skip, out.size());
  return outcome;
}

LmdbBlockTable::ReadOutcome LmdbBlockTable::load_block(uint64_t file_offset, const BlockRef& block,
                                                       MutableByteView out) const {
  Checksum stored;
  if (!reads_all(fd_, file_offset, stored, out)) return ReadOutcome::corrupt;
  return checksum_of(block.id, block.number, out) == stored ? ReadOutcome::done : ReadOutcome::corrupt;
}

LmdbBlockTable::WriteOutcome LmdbBlockTable::write(std::span<const ChunkId> removed, std::span<const NewChunk> added) {
  return write_outcome(readers_->guarded([&] { return write_once(removed, added); }));
}

int LmdbBlockTable::write_once(std::span<const ChunkId> removed, std::span<const NewChunk> added) {
  MDB_txn* transaction = nullptr;
  int code = mdb_txn_begin(environment_.get(), nullptr, 0, &transaction);
  if (code != 0) return code;
  code = apply(transaction, removed, added);
  if (code == 0) return mdb_txn_commit(transaction);
  mdb_txn_abort(transaction);
  return code;
}

int LmdbBlockTable::apply(MDB_txn* transaction, std::span<const ChunkId> removed, std::span<const NewChunk> added) {
  MDB_cursor* cursor = nullptr;
  if (const int code = mdb_cursor_open(transaction, tree_, &cursor); code != 0) return code;
  int code = 0;
  for (const ChunkId& id : removed) {
    if (code == 0) code = remove_chunk(cursor, id);
  }
  mdb_cursor_close(cursor);
  for (const NewChunk& chunk : added) {
    if (code == 0) code = put_chunk(transaction, tree_, chunk);
  }
  return code;
}

int LmdbBlockTable::remove_chunk(MDB_cursor* cursor, const ChunkId& id) const {
  while (true) {
    BlockKey first(id, 0);
    MDB_val key = first.val();
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (code == MDB_NOTFOUND || (code == 0 && !has_id(key, id))) return 0;
    if (code == 0 && !is_safe_to_free(value)) code = MDB_CORRUPTED;
    if (code == 0) code = mdb_cursor_del(cursor, 0);
    if (code != 0) return code;
    if (is_on_overflow_pages(value.mv_size)) unmap_neighbourhood(value);
  }
}

// LMDB frees the pages that the run's own header names; the check at open does not read those.
bool LmdbBlockTable::is_safe_to_free(const MDB_val& value) const {
  if (!is_on_overflow_pages(value.mv_size)) return true;
  const auto* page = static_cast<const std::byte*>(value.mv_data) - sizeof(lmdb::PageHeader);
  lmdb::PageHeader header;
  std::memcpy(&header, page, sizeof header);
  return header.flags == lmdb::kOverflow &&
         header.page_number == static_cast<uint64_t>(page - map_.data()) / page_bytes() &&
         header.overflow_pages == lmdb::overflow_pages_for(value.mv_size, page_bytes());
}

// LMDB has just looked at the page, and the kernel mapped its neighbours too: resident memory that nobody needs. Never
// beyond the map: what lies there is somebody else's memory, and would be zeros afterwards.
void LmdbBlockTable::unmap_neighbourhood(const MDB_val& value) const {
  constexpr uint64_t kAround = 64 << 10;
  const auto offset = static_cast<uint64_t>(static_cast<const std::byte*>(value.mv_data) - map_.data());
  if (offset >= map_.size()) return;
  const uint64_t begin = offset / kAround * kAround;
  const uint64_t end = std::min<uint64_t>(map_.size(), (offset + value.mv_size + kAround - 1) / kAround * kAround);
  ::madvise(const_cast<std::byte*>(map_.data()) + begin, end - begin, MADV_DONTNEED);
}

Result<void> LmdbBlockTable::compact() {
  const std::string copy_path = directory_ + "/data.mdb.tmp";
  auto copy = open_file(copy_path, O_RDWR | O_CREAT | O_TRUNC);
  if (!copy) return fail(std::move(copy).error());
  int code = readers_->guarded([&] { return mdb_env_copyfd2(environment_.get(), copy->get(), MDB_CP_COMPACT); });
  if (code == 0 && ::fsync(copy->get()) != 0) code = errno;
  if (code == 0 && ::rename(copy_path.c_str(), (directory_ + "/data.mdb").c_str()) != 0) code = errno;
  if (code == 0) return {};
  ::unlink(copy_path.c_str());
  return fail(error_from_lmdb(code, "compact cache"));
}

uint64_t LmdbBlockTable::file_bytes() const {
  struct stat status {};
  return ::fstat(fd_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

bool LmdbBlockTable::is_removed() const { return was_removed(fd_); }

uint64_t LmdbBlockTable::footprint_bytes(uint64_t chunk_bytes) {
  constexpr uint64_t kNodeBytes = 96;  // of a tree page that is two thirds full
  const uint64_t full_blocks = chunk_bytes / kBlockBytes;
  const uint64_t tail_bytes = chunk_bytes % kBlockBytes;
  uint64_t bytes =
      full_blocks * (lmdb::overflow_pages_for(kChecksumBytes + kBlockBytes, page_bytes()) * page_bytes() + kNodeBytes);
  if (tail_bytes == 0) return bytes;
  if (!is_on_overflow_pages(kChecksumBytes + tail_bytes)) return bytes + kNodeBytes + tail_bytes * 3 / 2;
  return bytes + kNodeBytes + lmdb::overflow_pages_for(kChecksumBytes + tail_bytes, page_bytes()) * page_bytes();
}

}  // namespace cairn
