// Whole files into the local cache, before anybody reads them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/wait.h"
#include "store/chunks/chunk_reader.h"
#include "store/reading/file_reader.h"

namespace cairn {

// Brings every chunk of some versions into the local cache, several at a time and never faster than the cache can store
// them: what it drops because its queue is full would have to be fetched again.
//
// Thread-safety: one run(), by one thread.
// Ownership: borrows environment and reader.
class CacheWarmer {
 public:
  struct Counts {
    uint64_t files = 0;
    uint64_t files_done = 0;
    uint64_t bytes = 0;          // of all files together
    uint64_t present_bytes = 0;  // of these: in the cache already, inside the entry, or a hole
    uint64_t fetched_bytes = 0;  // of these: brought in
  };
  using Progress = std::function<void(const Counts& now)>;
  // A version that could not be brought in whole.
  struct Failure {
    size_t file = 0;  // its index
    std::string error;
  };
  struct Report {
    Counts counts;
    std::vector<Failure> failures;  // in order of the files
  };

  // `threads`: chunks that are fetched at once.
  CacheWarmer(StoreEnvironment& environment, ChunkReader& reader, std::stop_token stop, size_t threads = 8);

  // `progress` is called a few times a second while it works. Failures: invalid_argument (there is no cache),
  // cancelled.
  Result<Report> run(std::vector<VersionPtr> files, const Progress& progress);

 private:
  struct Piece {
    size_t file = 0;
    ChunkRef chunk;
    ImagePtr image;  // where it belongs; nullptr: among the blocks
  };

  void fetch_everything(const Progress& progress);
  // nullopt: nothing is left, or the work is stopped.
  std::optional<Piece> next_piece();
  void add_file_locked(size_t file, const Result<std::shared_ptr<FileReader>>& reader) CAIRN_REQUIRES(mutex_);
  void bring(const Piece& piece);
  [[nodiscard]] bool is_kept(const Piece& piece) const;
  void keep(const Piece& piece, const SharedBuffer& plain);
  void fail_file(size_t file, const Error& error);
  [[nodiscard]] Counts counts_locked() const CAIRN_REQUIRES(mutex_);
  [[nodiscard]] RequestContext context() const;

  StoreEnvironment& environment_;
  ChunkReader& reader_;
  const std::stop_token stop_;
  const size_t threads_;
  std::vector<VersionPtr> files_;  // fixed once run() has begun
  uint64_t total_bytes_ = 0;       // likewise

  Mutex mutex_;
  Condition opened_;  // a file's chunks are known, or it cannot be opened
  Condition finished_;
  std::deque<Piece> pieces_ CAIRN_GUARDED_BY(mutex_);  // of the files opened so far
  size_t next_file_ CAIRN_GUARDED_BY(mutex_) = 0;
  size_t opening_ CAIRN_GUARDED_BY(mutex_) = 0;  // of the files before that: their chunks are not known yet
  size_t running_ CAIRN_GUARDED_BY(mutex_) = 0;  // threads
  uint64_t present_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  uint64_t fetched_bytes_ CAIRN_GUARDED_BY(mutex_) = 0;
  std::map<size_t, std::string> failed_ CAIRN_GUARDED_BY(mutex_);  // by file
};

}  // namespace cairn
