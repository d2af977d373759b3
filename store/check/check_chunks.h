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

  // Checks that every chunk that was added is in the store, in an object of a possible size, and with `read_data` that
  // its bytes have the digest that is their name and the checksum that the manifest lists. Counts the chunks in the
  // store that were not added.
  void run(bool read_data);

 private:
  // A chunk as manifests list it. Manifests that list it alike share one use.
  struct Use {
    ChunkId id;
    uint32_t size = 0;
    Checksum checksum;
    uint32_t path = 0;  // index in paths_ of a file that needs the chunk
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
