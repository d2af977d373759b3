#include "cache/lmdb_block_cache.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/units.h"
#include "cache/local_files.h"
#include "cache/recency_file.h"

namespace cairn {

namespace {

constexpr uint64_t kLargestBatchBytes = 16 << 20;
constexpr uint64_t kUsualChunkBytes = 4 << 20;
constexpr int kAttempts = 3;  // of storing a batch that finds no room: freed pages can be used two transactions later
constexpr auto kPause = std::chrono::seconds(10);
constexpr auto kGrowAgainAfter = std::chrono::seconds(60);
constexpr auto kLookEvery = std::chrono::seconds(10);  // whether somebody has removed the files
constexpr int kLooksBetweenSaves = 30;                 // of the order of use

uint64_t batch_bytes_for(uint64_t capacity_bytes) {
  return std::clamp<uint64_t>(capacity_bytes / 64, 1 << 20, kLargestBatchBytes);
}

// What must stay free of a file of `bytes`: the pages that the last two transactions freed and nobody may use yet,
// those of the one that is being written, and slack for pages that do not fit together.
uint64_t reserve_bytes(uint64_t bytes, uint64_t batch_bytes) {
  return 3 * std::max(batch_bytes, kUsualChunkBytes) + bytes / 64;
}

bool is_about_room(LmdbBlockTable::WriteOutcome outcome) {
  return outcome == LmdbBlockTable::WriteOutcome::map_full || outcome == LmdbBlockTable::WriteOutcome::disk_refused;
}

std::string clean_marker(const std::string& directory) { return directory + "/clean"; }
std::string recency_path(const std::string& directory) { return directory + "/recency"; }

std::string care_path(const std::string& directory) { return directory + "/care"; }

uint32_t load_care(const std::string& path) {
  const std::string text = read_whole_file(path).value_or("");
  uint32_t care = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), care);
  return error == std::errc() && end == text.data() + text.size() ? care : 0;
}

// Only an orderly end leaves the marker behind, and it holds until somebody opens the cache.
void note_how_it_ended(const std::string& directory) {
  const bool was_clean = ::unlink(clean_marker(directory).c_str()) == 0;
  const bool is_new = ::access((directory + "/data.mdb").c_str(), F_OK) != 0;
  if (was_clean || is_new) return;
  log::info("cache '{}' was not closed in order; every block is checked as it is read", directory);
}

}  // namespace

Result<std::unique_ptr<LmdbBlockCache>> LmdbBlockCache::open(Options options) {
  if (options.capacity_bytes < kMinCapacityBytes) {
    return fail(Errc::invalid_argument, "a cache of {} is too small: give it at least {}, or none at all",
                human_bytes(options.capacity_bytes), human_bytes(kMinCapacityBytes));
  }
  std::string directory = options.path + "/blocks";
  if (auto made = make_directories(directory); !made) return fail(std::move(made).error());
  auto lock = DirectoryLock::take(directory, options.path);
  if (!lock) return fail(std::move(lock).error());
  std::unique_ptr<LmdbBlockCache> cache(new LmdbBlockCache(std::move(options), std::move(directory), std::move(*lock)));
  cache->start();
  return cache;
}

LmdbBlockCache::LmdbBlockCache(Options options, std::string directory, DirectoryLock lock)
    : options_(std::move(options)),
      directory_(std::move(directory)),
      lock_(std::move(lock)),
      batch_bytes_(batch_bytes_for(options_.capacity_bytes)),
      ledger_(&LmdbBlockTable::footprint_bytes),
      growth_limit_bytes_(options_.capacity_bytes) {}

void LmdbBlockCache::start() {
  // The marker goes before the file is touched: from here on only an orderly end may claim to have been one.
  note_how_it_ended(directory_);
  note_care();
  open_table();
  writer_ = Thread("cache", [this](const std::stop_token&) { run(); });
  pthread_setname_np(writer_.native_handle(), "cache-writer");
}

// No note means the least. So the old note goes before anything is put with less care, and the new one comes after
// what was put with less is gone.
void LmdbBlockCache::note_care() {
  const std::string path = care_path(directory_);
  const uint32_t before = load_care(path);
  if (before == options_.care) return;
  if (before < options_.care && ::access((directory_ + "/data.mdb").c_str(), F_OK) == 0) {
    log::info("cache '{}' was filled by a mount that checked less; it starts empty", directory_);
    LmdbBlockTable::remove_files(directory_);
  }
  ::unlink(path.c_str());
  auto noted = sync_directory(directory_);
  if (noted) noted = replace_file(path, std::to_string(options_.care));
  if (!noted) log::warning("cache: {}: the next mount begins with an empty one", noted.error().message());
}

// The marker comes last, when the table is closed and all of it is with the kernel.
LmdbBlockCache::~LmdbBlockCache() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  writer_.join();
  if (table_ != nullptr) write({});
  save_order_of_use();
  table_.reset();
  if (auto marker = open_file(clean_marker(directory_), O_WRONLY | O_CREAT); !marker) {
    log::warning("cache: {}", marker.error().message());
  }
}

// --- Reading ---

bool LmdbBlockCache::read(const ChunkId& id, uint64_t offset, MutableByteView out) {
  ChunkLedger::Found found;
  {
    MutexLock lock(mutex_);
    found = ledger_.use(id);
  }
  const uint64_t chunk_bytes = found.queued != nullptr ? found.queued->size() : found.stored_bytes;
  bool answered = chunk_bytes != 0 && offset <= chunk_bytes && out.size() <= chunk_bytes - offset;
  if (answered && found.queued != nullptr) {
    std::ranges::copy(found.queued->view().subspan(offset, out.size()), out.begin());
  } else if (answered) {
    answered = read_stored(id, chunk_bytes, offset, out);
  }
  ++(answered ? hits_ : misses_);
  return answered;
}

bool LmdbBlockCache::read_stored(const ChunkId& id, uint64_t chunk_bytes, uint64_t offset, MutableByteView out) {
  using Outcome = LmdbBlockTable::ReadOutcome;
  ReaderLock gate(table_gate_);  // the table cannot be replaced under the read
  const Outcome outcome = table_ == nullptr ? Outcome::missing : table_->read(id, chunk_bytes, offset, out);
  if (outcome == Outcome::done) return true;
  if (outcome == Outcome::missing) return false;  // evicted since the ledger was asked
  ++corrupt_;
  log::warning("cache: chunk {} is corrupt on disk and was dropped", id.short_hex());
  MutexLock lock(mutex_);
  ledger_.doom(id);
  damaged_ = damaged_ || outcome == Outcome::damaged;
  work_.notify_one();
  return false;
}

bool LmdbBlockCache::contains(const ChunkId& id) const {
  MutexLock lock(mutex_);
  return ledger_.contains(id);
}

BlockCacheStats LmdbBlockCache::stats() const {
  MutexLock lock(mutex_);
  return {.hits = hits_,
          .misses = misses_,
          .corrupt = corrupt_,
          .evicted_chunks = evicted_,
          .dropped_puts = dropped_,
          .used_bytes = ledger_.used_bytes(),
          .capacity_bytes = options_.capacity_bytes,
          .chunks = ledger_.stored_chunks()};
}

// --- Writing ---

void LmdbBlockCache::put(const ChunkId& id, SharedBuffer plain) {
  if (plain->empty()) return;
  MutexLock lock(mutex_);
  const bool queue_is_full = ledger_.queued_bytes() + plain->size() > options_.queue_bytes;
  if (!ledger_.contains(id) && (queue_is_full || options_.clock->steady_now() < paused_until_)) {
    ++dropped_;
    return;
  }
  ledger_.enqueue(id, std::move(plain));
  work_.notify_one();
}

// Chunks leave the queue in the order they came, so later ones do not hold this up.
void LmdbBlockCache::flush() {
  MutexLock lock(mutex_);
  const uint64_t accepted = ledger_.accepted_chunks();
  progress_.wait(lock, [&]() CAIRN_REQUIRES(mutex_) { return ledger_.finished_chunks() >= accepted; });
}

void LmdbBlockCache::clear() {
  MutexLock lock(mutex_);
  const uint64_t wanted = ++clears_wanted_;
  work_.notify_one();
  progress_.wait(lock, [&]() CAIRN_REQUIRES(mutex_) { return clears_done_ >= wanted; });
}

bool LmdbBlockCache::has_work() const { return ledger_.has_queued() || damaged_ || clears_done_ < clears_wanted_; }

void LmdbBlockCache::run() {
  int looks = 0;
  MutexLock lock(mutex_);
  while (true) {
    const bool woken =
        work_.wait_for(lock, {}, kLookEvery, [this]() CAIRN_REQUIRES(mutex_) { return stopping_ || has_work(); });
    if (stopping_ && !has_work()) return;
    lock.unlock();
    notice_removal();
    if (woken) work();
    if (!woken && ++looks % kLooksBetweenSaves == 0) save_order_of_use();
    lock.lock();
    progress_.notify_all();
  }
}

// Until the file is closed its room on the disk is not given back.
void LmdbBlockCache::notice_removal() {
  if (table_ == nullptr || !table_->is_removed()) return;
  log::warning("cache '{}': somebody has removed its files; it starts over empty", directory_);
  replace_table(true);
}

void LmdbBlockCache::work() {
  uint64_t clears = 0;
  bool start_over = false;
  {
    MutexLock lock(mutex_);
    clears = clears_wanted_;
    if (clears_done_ < clears) ledger_.forget_queued();
    start_over = clears_done_ < clears || damaged_;
    damaged_ = false;
  }
  if (start_over || table_ == nullptr) replace_table(start_over);
  store_next_batch();
  MutexLock lock(mutex_);
  clears_done_ = clears;
}

// The batch's chunks are read from memory until finish(), which comes after the commit: at no time is a chunk neither
// there nor in the file.
void LmdbBlockCache::store_next_batch() {
  ChunkLedger::Batch batch;
  {
    MutexLock lock(mutex_);
    batch = ledger_.take_batch(batch_bytes_);
  }
  if (batch.chunks.empty()) return;
  WriteOutcome outcome = store(batch);
  if (outcome == WriteOutcome::damaged) {
    log::warning("cache '{}' is damaged and starts over empty", directory_);
    replace_table(true);
    outcome = store(batch);
  }
  const bool stored = outcome == WriteOutcome::done;
  if (stored) complaint_.clear();
  MutexLock lock(mutex_);
  ledger_.finish(batch, stored);
  if (stored) return;
  dropped_ += batch.chunks.size();
  if (outcome == WriteOutcome::disk_refused) pause_puts();
}

// A full disk or map is answered by evicting, a batch's worth more each time. The empty write commits the removal by
// itself: pages that it frees can be used two transactions later, so the next attempt finds them.
LmdbBlockCache::WriteOutcome LmdbBlockCache::store(const ChunkLedger::Batch& batch) {
  if (table_ == nullptr) return WriteOutcome::disk_refused;
  WriteOutcome outcome = WriteOutcome::map_full;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const uint64_t limit = limit_bytes();
    if (batch.footprint_bytes > limit) return outcome;
    evict_down_to(limit - batch.footprint_bytes);
    outcome = write(batch);
    if (!is_about_room(outcome)) return outcome;
    if (outcome == WriteOutcome::disk_refused) stop_growing();
    evict_down_to(stored_bytes() - std::min(stored_bytes(), batch_bytes_));
    write({});
  }
  return outcome;
}

// Removes the doomed chunks and adds the batch. Readers have no way to a doomed chunk since it was doomed; one that was
// on its way misses. Chunks that are doomed during the commit stand behind the `removed` ones and wait for the next.
LmdbBlockCache::WriteOutcome LmdbBlockCache::write(const ChunkLedger::Batch& batch) {
  std::vector<LmdbBlockTable::NewChunk> added;
  for (const auto& [id, plain] : batch.chunks) added.push_back({id, plain->view()});
  std::vector<ChunkId> removed;
  {
    MutexLock lock(mutex_);
    removed = ledger_.doomed();
  }
  const WriteOutcome outcome = table_->write(removed, added);
  if (outcome != WriteOutcome::done) return outcome;
  MutexLock lock(mutex_);
  ledger_.buried(removed.size());
  return outcome;
}

void LmdbBlockCache::evict_down_to(uint64_t bytes) {
  MutexLock lock(mutex_);
  evicted_ += ledger_.doom_down_to(bytes);
}

uint64_t LmdbBlockCache::stored_bytes() const {
  MutexLock lock(mutex_);
  return ledger_.stored_bytes();
}

uint64_t LmdbBlockCache::limit_bytes() {
  MutexLock lock(mutex_);
  if (options_.clock->steady_now() >= grow_again_at_) growth_limit_bytes_ = options_.capacity_bytes;
  const uint64_t reserve = reserve_bytes(growth_limit_bytes_, batch_bytes_);
  return growth_limit_bytes_ - std::min(growth_limit_bytes_, reserve);
}

void LmdbBlockCache::stop_growing() {
  MutexLock lock(mutex_);
  growth_limit_bytes_ = std::min(options_.capacity_bytes, table_->file_bytes());
  grow_again_at_ = options_.clock->steady_now() + kGrowAgainAfter;
}

void LmdbBlockCache::pause_puts() {
  dropped_ += ledger_.forget_queued();
  paused_until_ = options_.clock->steady_now() + kPause;
  complain("the disk takes no more; nothing new is cached until it does");
}

// --- The table's life ---

void LmdbBlockCache::open_table() {
  auto opened = try_open_table();
  if (!opened && opened.error().code() == Errc::corrupt) {
    log::warning("cache '{}' is damaged and starts empty: {}", directory_, opened.error().message());
    forget_table();
    LmdbBlockTable::remove_files(directory_);
    opened = try_open_table();
  }
  if (opened) return;
  complain("cannot be used for now: " + opened.error().to_string());
  forget_table();
}

// What lasts is said once.
void LmdbBlockCache::complain(const std::string& about) {
  if (std::exchange(complaint_, about) != about) log::error("cache '{}': {}", directory_, about);
}

Result<void> LmdbBlockCache::restore_directory() {
  if (!lock_.is_removed()) return {};
  if (auto made = make_directories(directory_); !made) return made;
  auto lock = DirectoryLock::take(directory_, options_.path);
  if (!lock) return fail(std::move(lock).error());
  lock_ = std::move(*lock);
  return {};
}

Result<void> LmdbBlockCache::try_open_table() {
  if (auto restored = restore_directory(); !restored) return restored;
  auto table = LmdbBlockTable::open(directory_, options_.capacity_bytes);
  if (!table) return fail(std::move(table).error());
  auto chunks = (*table)->list();
  if (!chunks) return fail(std::move(chunks).error());
  const auto order = load_recency(recency_path(directory_));
  table_ = std::move(*table);
  {
    MutexLock lock(mutex_);
    ledger_.adopt(std::move(*chunks), order);
  }
  return table_->file_bytes() > options_.capacity_bytes ? shrink_to_capacity() : Result<void>();
}

// An LMDB file never gets smaller: what stays is copied. Failures: corrupt when that does not help.
Result<void> LmdbBlockCache::shrink_to_capacity() {
  evict_down_to(limit_bytes());
  if (write({}) != WriteOutcome::done) return fail(Errc::corrupt, "cannot be made smaller");
  if (auto compacted = table_->compact(); !compacted) {
    return fail(Errc::corrupt, "cannot be made smaller: {}", compacted.error().message());
  }
  table_.reset();
  auto smaller = LmdbBlockTable::open(directory_, options_.capacity_bytes);
  if (!smaller) return fail(std::move(smaller).error());
  table_ = std::move(*smaller);
  if (table_->file_bytes() > options_.capacity_bytes) return fail(Errc::corrupt, "is still too large");
  return {};
}

// With the gate closed no reader is in the table while it goes. One that waits at the gate, with the ledger's answer
// about the old table, finds nothing in the new one: a miss.
void LmdbBlockCache::replace_table(bool empty) {
  WriterLock gate(table_gate_);
  forget_table();
  if (empty) LmdbBlockTable::remove_files(directory_);
  open_table();
}

void LmdbBlockCache::forget_table() {
  table_.reset();
  MutexLock lock(mutex_);
  ledger_.forget_stored();
}

void LmdbBlockCache::save_order_of_use() {
  std::vector<RecencyTag> order;
  {
    MutexLock lock(mutex_);
    order = ledger_.order_of_use();
  }
  save_recency(recency_path(directory_), order);
}

}  // namespace cairn
