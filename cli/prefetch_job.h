// `cairnfs prefetch`, at the daemon's end.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/control.h"
#include "store/chunk_reader.h"
#include "store/file_reader.h"

namespace cairn {

// Brings every chunk of some files into the local cache, several at a time and never faster than the cache can store
// them: what it drops because its queue is full would have to be fetched again.
//
// Thread-safety: one run(), by one thread.
// Ownership: borrows environment and reader.
class PrefetchJob {
 public:
  PrefetchJob(StoreEnvironment& environment, ChunkReader& reader, std::stop_token stop);

  // `paths` are below the root, without a leading "/"; directories stand for all files in them. A file that cannot be
  // read whole is listed in the result with its error, and the others go on. Failures: not_found (a path that is not
  // there), invalid_argument (the mount has no cache), cancelled, those of Directory::load.
  //
  // {"files", "bytes", "present_bytes", "fetched_bytes", "cache_capacity_bytes", "failed": [{"path", "error"}…]}
  Result<Json> run(const std::vector<std::string>& paths, const ProgressFunction& progress);

 private:
  struct File {
    std::string path;
    VersionPtr version;
  };
  struct Piece {
    size_t file = 0;
    ChunkRef chunk;
  };

  Result<void> collect(const std::string& path);
  Result<void> collect_directory(const std::string& path, EntryId id);
  void fetch_everything(const ProgressFunction& progress);
  // nullopt: nothing is left, or the job is stopped.
  std::optional<Piece> next_piece();
  void open_next_file_locked();
  void bring(const Piece& piece);
  void keep(const ChunkId& id, const SharedBuffer& plain);
  void fail_file(size_t file, const Error& error);
  [[nodiscard]] Json totals_locked() const;
  [[nodiscard]] RequestContext context() const;

  StoreEnvironment& environment_;
  ChunkReader& reader_;
  const std::stop_token stop_;
  std::vector<File> files_;   // fixed once collected
  uint64_t total_bytes_ = 0;  // likewise

  std::mutex mutex_;
  std::condition_variable_any finished_;
  std::deque<Piece> pieces_;              // guarded by mutex_: of the files opened so far
  size_t next_file_ = 0;                  // guarded by mutex_
  size_t running_ = 0;                    // guarded by mutex_: threads
  uint64_t present_bytes_ = 0;            // guarded by mutex_
  uint64_t fetched_bytes_ = 0;            // guarded by mutex_
  std::map<size_t, std::string> failed_;  // guarded by mutex_: by file
};

}  // namespace cairn
