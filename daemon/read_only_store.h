// A store that is only looked at, without a mount.
#pragma once

#include <memory>
#include <string>

#include "base/executor.h"
#include "base/memory_budget.h"
#include "cache/no_block_cache.h"
#include "cache/no_image_cache.h"
#include "cache/staging_area.h"
#include "remote/remote_stack.h"
#include "store/environment.h"

namespace cairn {

class NoStagingArea final : public StagingArea {
 public:
  Result<std::unique_ptr<StagingFile>> create(uint32_t /*user*/) override {
    return fail(Errc::read_only, "opened for reading only");
  }
  Result<std::vector<KeptStagingFile>> take_kept() override { return std::vector<KeptStagingFile>(); }
  StagingRoom& room() override { return room_; }

 private:
  StagingRoom room_{0, [] { return uint64_t{0}; }};
};

// No cache, no staging, nothing written.
class ReadOnlyStore {
 public:
  // Failures: those of open_object_store and open_store_format.
  static Result<std::unique_ptr<ReadOnlyStore>> open(const std::string& url);
  [[nodiscard]] StoreEnvironment& environment() { return environment_; }

 private:
  ReadOnlyStore(std::unique_ptr<ObjectStore> bare, StoreFormat format);

  RemoteStack remote_;
  NoBlockCache cache_;
  NoImageCache images_;
  NoStagingArea staging_;
  MemoryBudget memory_;
  Executor compute_;
  Executor io_;
  StoreEnvironment environment_;
};

}  // namespace cairn
