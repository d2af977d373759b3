// The files of one checkpoint: while one of them is read, the next comes into the cache.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/thread.h"
#include "base/wait.h"
#include "store/directories/directory.h"
#include "store/environment.h"
#include "store/reading/file_reader.h"

namespace cairn {

// The name of the shard that follows `name` by the numbers in it, the first one after the last:
// `model-00002-of-00004.safetensors` after `model-00001-of-00004.safetensors`. nullopt: it is no shard of several.
std::optional<std::string> next_shard(std::string_view name);

// Brings shards into the local cache, one at a time, for as long as somebody reads the one before. Does nothing where
// there is no cache to bring them to, or StoreOptions::prefetch_siblings says no.
// Thread-safety: all methods may be called from any thread.
// Ownership: borrows environment and reader. Failures: none that a reader sees.
class SiblingShards {
 public:
  SiblingShards(StoreEnvironment& environment, ChunkReader& reader);
  ~SiblingShards();
  SiblingShards(const SiblingShards&) = delete;
  SiblingShards& operator=(const SiblingShards&) = delete;

  // Half of `name` in `directory` has been read by way of `reading`. Never waits.
  void half_read(std::shared_ptr<Directory> directory, const std::string& name,
                 const std::shared_ptr<FileReader>& reading);

  // Ends what is under way, and takes no more.
  void stop();

 private:
  struct Shard {
    std::shared_ptr<Directory> directory;
    std::string name;
    std::weak_ptr<FileReader> reading;  // the one before
  };

  void run(const std::stop_token& stop);
  void bring(const Shard& shard, const std::stop_token& stop);

  StoreEnvironment& environment_;
  ChunkReader& reader_;
  Mutex mutex_;
  Condition wanted_;
  std::deque<Shard> shards_ CAIRN_GUARDED_BY(mutex_);
  Thread thread_;  // last: it uses all of the above
};

}  // namespace cairn
