#include "cli/prefetch_job.h"

#include <thread>

#include "cli/history.h"

namespace cairn {

namespace {

constexpr size_t kThreads = 8;
constexpr std::chrono::milliseconds kProgressInterval{250};
constexpr int kAttempts = 3;  // of having the cache keep a chunk

std::string joined(const std::string& directory, const std::string& name) {
  return directory.empty() ? name : directory + "/" + name;
}

}  // namespace

PrefetchJob::PrefetchJob(StoreEnvironment& environment, ChunkReader& reader, std::stop_token stop)
    : environment_(environment), reader_(reader), stop_(std::move(stop)) {}

Result<Json> PrefetchJob::run(const std::vector<std::string>& paths, const ProgressFunction& progress) {
  const uint64_t capacity = environment_.cache.stats().capacity_bytes;
  if (capacity == 0) return fail(Errc::invalid_argument, "this mount has no cache to warm (cache.size is 0)");
  for (const std::string& path : paths) {
    const Result<void> collected = collect(path);
    if (!collected) return fail(collected.error());
  }
  fetch_everything(progress);
  environment_.cache.flush();
  if (stop_.stop_requested()) return fail(Errc::cancelled, "stopped");

  const std::lock_guard lock(mutex_);
  Json result = totals_locked();
  result["cache_capacity_bytes"] = capacity;
  result["failed"] = Json::array();
  for (const auto& [file, error] : failed_) {
    result["failed"].push_back({{"path", "/" + files_[file].path}, {"error", error}});
  }
  return result;
}

Result<void> PrefetchJob::collect(const std::string& path) {
  const Result<Entry> entry = find_entry(environment_, path, context());
  if (!entry) return fail(entry.error());
  if (entry->deleted) return fail(Errc::not_found, "/{}: it was deleted", path);
  if (entry->kind == Kind::directory) return collect_directory(path, entry->id);
  if (entry->kind == Kind::symlink) return fail(Errc::invalid_argument, "/{}: a symbolic link: name its target", path);
  if (entry->current() == nullptr) return {};
  files_.push_back({path, entry->current()});
  total_bytes_ += entry->size_bytes();
  return {};
}

Result<void> PrefetchJob::collect_directory(const std::string& path, EntryId id) {
  const Result<std::shared_ptr<Directory>> directory = Directory::load(environment_, id, context());
  if (!directory) return fail(directory.error().in("/" + path));
  for (const auto& [name, entry] : (*directory)->list()) {
    if (entry->kind == Kind::directory) {
      const Result<void> below = collect_directory(joined(path, name), entry->id);
      if (!below) return below;
    } else if (entry->kind == Kind::file && entry->current() != nullptr) {
      files_.push_back({joined(path, name), entry->current()});
      total_bytes_ += entry->size_bytes();
    }
  }
  return {};
}

void PrefetchJob::fetch_everything(const ProgressFunction& progress) {
  std::vector<std::jthread> threads;
  running_ = kThreads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      while (const std::optional<Piece> piece = next_piece()) bring(*piece);
      const std::lock_guard lock(mutex_);
      --running_;
      finished_.notify_all();
    });
  }
  std::unique_lock lock(mutex_);
  while (!finished_.wait_for(lock, kProgressInterval, [this] { return running_ == 0; })) {
    const Json now = totals_locked();
    lock.unlock();
    progress(now);
    lock.lock();
  }
  lock.unlock();
  environment_.cache.flush();
}

std::optional<PrefetchJob::Piece> PrefetchJob::next_piece() {
  const std::lock_guard lock(mutex_);
  while (pieces_.empty() && next_file_ < files_.size() && !stop_.stop_requested()) open_next_file_locked();
  if (pieces_.empty() || stop_.stop_requested()) return std::nullopt;
  const Piece piece = pieces_.front();
  pieces_.pop_front();
  return piece;
}

// A long chunk list comes from the store, and the others wait for it: there is nothing else for them to do.
void PrefetchJob::open_next_file_locked() {
  const size_t file = next_file_++;
  const auto reader = FileReader::open(environment_, reader_, files_[file].version, context());
  if (!reader) {
    failed_.emplace(file, reader.error().message());
    return;
  }
  uint64_t in_chunks = 0;
  for (const ChunkRef& chunk : (*reader)->manifest().chunks()) {
    pieces_.push_back({file, chunk});
    in_chunks += chunk.size;
  }
  present_bytes_ += files_[file].version->size_bytes - in_chunks;  // holes, and content inside the entry
}

void PrefetchJob::bring(const Piece& piece) {
  BlockCache& cache = environment_.cache;
  if (cache.contains(piece.chunk.id)) {
    const std::lock_guard lock(mutex_);
    present_bytes_ += piece.chunk.size;
    return;
  }
  const Result<SharedBuffer> chunk = reader_.fetch(piece.chunk, context());
  if (!chunk) return fail_file(piece.file, chunk.error());
  keep(piece.chunk.id, *chunk);
  const std::lock_guard lock(mutex_);
  fetched_bytes_ += piece.chunk.size;
}

// The chunk may have been in memory only, and the cache drops what comes faster than its disk takes it.
void PrefetchJob::keep(const ChunkId& id, const SharedBuffer& plain) {
  BlockCache& cache = environment_.cache;
  for (int i = 0; i < kAttempts && !cache.contains(id); ++i) {
    cache.flush();
    cache.put(id, plain);
  }
}

void PrefetchJob::fail_file(size_t file, const Error& error) {
  const std::lock_guard lock(mutex_);
  failed_.emplace(file, error.message());  // the first error counts
}

Json PrefetchJob::totals_locked() const {
  return {{"files", files_.size()},
          {"files_done", pieces_.empty() || next_file_ == 0 ? next_file_ : next_file_ - 1},
          {"bytes", total_bytes_},
          {"bytes_done", present_bytes_ + fetched_bytes_},
          {"present_bytes", present_bytes_},
          {"fetched_bytes", fetched_bytes_}};
}

RequestContext PrefetchJob::context() const {
  return RequestContext::within(environment_.options.operation_timeout, Cause::prefetch, stop_);
}

}  // namespace cairn
