#include "store/reading/cache_warmer.h"

#include "base/thread.h"

namespace cairn {

namespace {

constexpr std::chrono::milliseconds kProgressInterval{250};
constexpr int kAttempts = 3;  // of having the cache store a chunk

}  // namespace

CacheWarmer::CacheWarmer(StoreEnvironment& environment, ChunkReader& reader, std::stop_token stop, size_t threads)
    : environment_(environment), reader_(reader), stop_(std::move(stop)), threads_(threads) {}

Result<CacheWarmer::Report> CacheWarmer::run(std::vector<VersionPtr> files, const Progress& progress) {
  if (environment_.cache.stats().capacity_bytes == 0) {
    return fail(Errc::invalid_argument, "this mount has no cache to warm (cache.size is 0)");
  }
  files_ = std::move(files);
  for (const VersionPtr& file : files_) total_bytes_ += file->size_bytes;
  fetch_everything(progress);
  environment_.cache.flush();
  environment_.images.flush();
  if (stop_.stop_requested()) return fail(Errc::cancelled, "stopped");

  const MutexLock lock(mutex_);
  Report report{.counts = counts_locked(), .failures = {}};
  for (const auto& [file, error] : failed_) report.failures.push_back({file, error});
  return report;
}

void CacheWarmer::fetch_everything(const Progress& progress) {
  std::vector<Thread> threads;
  {
    const MutexLock lock(mutex_);
    running_ = threads_;
  }
  for (size_t i = 0; i < threads_; ++i) {
    threads.emplace_back("prefetch", [this](const std::stop_token&) {
      while (const std::optional<Piece> piece = next_piece()) bring(*piece);
      const MutexLock lock(mutex_);
      --running_;
      finished_.notify_all();
    });
  }
  MutexLock lock(mutex_);
  while (!finished_.wait_for(lock, {}, kProgressInterval, [this]() CAIRN_REQUIRES(mutex_) { return running_ == 0; })) {
    const Counts now = counts_locked();
    lock.unlock();
    progress(now);
    lock.lock();
  }
}

// Files are opened without the lock: a long chunk list comes from the store.
std::optional<CacheWarmer::Piece> CacheWarmer::next_piece() {
  MutexLock lock(mutex_);
  while (pieces_.empty() && !stop_.stop_requested()) {
    if (next_file_ < files_.size()) {
      const size_t file = next_file_++;
      ++opening_;
      lock.unlock();
      const auto reader = FileReader::open(environment_, reader_, files_[file], context());
      lock.lock();
      --opening_;
      add_file_locked(file, reader);
      opened_.notify_all();
    } else if (opening_ > 0) {
      opened_.wait(lock, [this]() CAIRN_REQUIRES(mutex_) { return !pieces_.empty() || opening_ == 0; });
    } else {
      return std::nullopt;
    }
  }
  if (stop_.stop_requested()) return std::nullopt;
  const Piece piece = pieces_.front();
  pieces_.pop_front();
  return piece;
}

void CacheWarmer::add_file_locked(size_t file, const Result<std::shared_ptr<FileReader>>& reader) {
  if (!reader) {
    failed_.emplace(file, reader.error().message());
    return;
  }
  uint64_t in_chunks = 0;
  for (const ChunkRef& chunk : (*reader)->manifest().chunks()) {
    pieces_.push_back({file, chunk, (*reader)->image()});
    in_chunks += chunk.size;
  }
  present_bytes_ += files_[file]->size_bytes - in_chunks;  // holes, and content inside the entry
}

void CacheWarmer::bring(const Piece& piece) {
  if (is_kept(piece)) {
    const MutexLock lock(mutex_);
    present_bytes_ += piece.chunk.size;
    return;
  }
  const Result<SharedBuffer> chunk = reader_.fetch(piece.chunk, context(), piece.image);
  if (!chunk) return fail_file(piece.file, chunk.error());
  keep(piece, *chunk);
  const MutexLock lock(mutex_);
  fetched_bytes_ += piece.chunk.size;
}

bool CacheWarmer::is_kept(const Piece& piece) const {
  return piece.image ? piece.image->contains(piece.chunk) : environment_.cache.contains(piece.chunk.id);
}

// The chunk may have been in memory only, and the cache of blocks drops what comes faster than its disk takes it.
void CacheWarmer::keep(const Piece& piece, const SharedBuffer& plain) {
  if (piece.image) return piece.image->put(piece.chunk, plain);
  BlockCache& cache = environment_.cache;
  for (int i = 0; i < kAttempts && !is_kept(piece); ++i) {
    cache.flush();
    cache.put(piece.chunk.id, plain);
  }
}

void CacheWarmer::fail_file(size_t file, const Error& error) {
  const MutexLock lock(mutex_);
  failed_.emplace(file, error.message());  // the first error counts
}

CacheWarmer::Counts CacheWarmer::counts_locked() const {
  const size_t opened = next_file_ - opening_;
  return {.files = files_.size(),
          .files_done = pieces_.empty() || opened == 0 ? opened : opened - 1,
          .bytes = total_bytes_,
          .present_bytes = present_bytes_,
          .fetched_bytes = fetched_bytes_};
}

RequestContext CacheWarmer::context() const {
  return RequestContext::within(environment_.options.operation_timeout, Cause::prefetch, stop_);
}

}  // namespace cairn
