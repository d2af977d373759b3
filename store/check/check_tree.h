// The inside of check: directories and manifests, from the root on.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/executor.h"
#include "remote/object_store.h"
#include "store/check/check_chunks.h"
#include "store/format/directory_state.h"
#include "store/format/store_format.h"

namespace cairn {

// Thread-safety: one thread at a time; works in parallel inside.
class TreeCheck {
 public:
  TreeCheck(ObjectStore& objects, const StoreFormat& format, Executor& workers, CheckLedger& ledger, ChunkCheck& chunks,
            const RequestContext& context)
      : objects_(objects), format_(format), workers_(workers), ledger_(ledger), chunks_(chunks), context_(context) {}

  // Reads every directory that a path leads to, and every manifest of every version in them.
  void walk();
  // Directories that no path leads to: counted if nothing is in them, findings otherwise.
  void find_orphans();
  // Ids that stand in two places: findings, unless a move that is under way explains them.
  void find_duplicates();
  // Whether every directory that was reached could be read.
  [[nodiscard]] bool is_complete() const { return complete_; }

 private:
  // How a walk reached a directory.
  struct Parent {
    EntryId directory = 0;
    std::string name;
  };
  struct Loaded {
    DirectoryState state;
    uint64_t records = 0;
    RecordNumber newest = 0;
  };
  // What is wrong with which object.
  struct Damage {
    std::string object;
    Error error;
  };
  using Load = tl::expected<Loaded, Damage>;

  struct ManifestUse {
    Digest id;
    uint64_t size_bytes = 0;
    std::string path;
  };
  // A directory that no path leads to.
  struct Orphan {
    std::string a_name;
    size_t live_entries = 0;
    std::vector<EntryId> entries;
  };
  using Orphans = std::map<EntryId, Orphan>;
  struct Duplicate {
    EntryId id = 0;
    EntryId first_directory = 0;
    EntryId second_directory = 0;
  };

  // Failures: no_space: it takes more than `most_bytes`.
  [[nodiscard]] Load load_once(EntryId id, uint64_t most_bytes) const;
  [[nodiscard]] Load load_once(EntryId id) const { return load_once(id, ledger_.most_bytes()); }
  // Twice before an answer is damage.
  [[nodiscard]] Load load(EntryId id) const;
  [[nodiscard]] std::string path_of(EntryId directory) const;
  [[nodiscard]] std::string path_of(EntryId directory, const std::string& name) const;

  void visit(EntryId id, const Loaded& loaded, std::vector<EntryId>& unread);
  void visit_entry(EntryId directory, const std::string& name, const Entry& entry, std::vector<ManifestUse>& manifests);
  void visit_versions(const std::string& path, const Entry& entry, std::vector<ManifestUse>& manifests);
  void read_manifests(const std::vector<ManifestUse>& uses);
  Result<Manifest> read_manifest(const ManifestUse& use, uint64_t most_bytes);
  void report_directory(EntryId id, const Damage& damage);
  bool still_names(EntryId parent, const std::string& name, EntryId child) const;

  Orphans load_orphans();
  void report_orphan(EntryId id, const Orphan& orphan);
  std::unordered_set<EntryId> reachable(EntryId from) const;
  std::vector<EntryId> stored_directories();
  // What a directory has of an id, live.
  struct Holding {
    RecordNumber newest = 0;
    size_t names = 0;
    EntryPtr first{};
  };
  [[nodiscard]] std::optional<Holding> holding(EntryId directory, EntryId id) const;
  bool is_duplicate_still(const Duplicate& duplicate) const;

  ObjectStore& objects_;
  const StoreFormat& format_;
  Executor& workers_;
  CheckLedger& ledger_;
  ChunkCheck& chunks_;
  const RequestContext& context_;

  std::unordered_map<EntryId, Parent> directories_;  // reached
  bool complete_ = true;                             // every directory that was reached could be read
  std::unordered_map<EntryId, EntryId> homes_;       // live entry -> the directory it was seen in
  std::vector<Duplicate> duplicates_;
  std::unordered_map<Digest, std::optional<uint64_t>, DigestHash> manifests_;  // size; nullopt: damaged
};

}  // namespace cairn
