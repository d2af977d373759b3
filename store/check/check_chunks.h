// The inside of check: the chunks that manifests name, against the chunks that are there.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/executor.h"
#include "remote/object_store.h"
#include "store/check/check_ledger.h"
#include "store/format/manifest.h"

namespace cairn {

// Thread-safety: add() by one thread at a time.
class ChunkCheck {
 public:
  ChunkCheck(ObjectStore& objects, Executor& workers, CheckLedger& ledger, const RequestContext& context)
      : objects_(objects), workers_(workers), ledger_(ledger), context_(context) {}

  // These chunks belong to `path`.
  void add(const std::vector<ChunkRef>& chunks, const std::string& path);

  // Every chunk that was added: there, of a size that can be, and with `read_data` holding what its name and its
  // manifest say. Counts those that nobody named.
  void run(bool read_data);

 private:
  // One chunk as one or many manifests describe it.
  struct Use {
    ChunkId id;
    uint32_t size = 0;
    Checksum checksum;
    uint32_t path = 0;  // index of one file that needs it
  };

  void compact();
  void find_contradictions();
  [[nodiscard]] std::span<const Use> uses_in(size_t folder) const;
  void compare_folder(size_t folder);
  std::span<const Use> compare_object(const ObjectInfo& object, std::span<const Use> uses);
  void compare_present(const ObjectInfo& object, const Use& use);
  void confirm_missing(const Use& use);
  void verify(const Use& use);
  Result<uint64_t> read_and_check(const Use& use);
  void report(const Use& use, const std::string& what);

  ObjectStore& objects_;
  Executor& workers_;
  CheckLedger& ledger_;
  const RequestContext& context_;
  std::vector<std::string> paths_;
  std::vector<Use> uses_;  // sorted and distinct up to compacted_
  size_t compacted_ = 0;
};

}  // namespace cairn
