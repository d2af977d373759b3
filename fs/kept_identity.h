// What a draft's description says of the file it belongs to, for the process that finds it after a restart.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/directories/entry_edits.h"
#include "store/format/entry.h"

namespace cairn {

struct KeptIdentity {
  EntryId directory = 0;
  std::string name;
  std::string path;  // for people
  Entry file;        // id and attributes: for a new entry, if the store has never heard of the file
  uint64_t session = 0;
  Nanos published = 0;  // with `session` the stamp of its version
  Nanos mtime = 0;
  bool knows_base = true;  // false: kept by an earlier version of this program, which left `base` to the draft
  std::optional<VersionStamp> base;
  VersionNumber base_number = 0;  // for people
  std::vector<VersionStamp> own;  // LateVersion::own
  bool was_listed = false;        // LateVersion::was_listed
  EntryId replaces = 0;           // LateVersion::replaces
  bool is_undecided = false;      // KeptState::undecided: the next process does not try it either
  bool is_anew = false;           // as a person has decided: file.id is that of a file of its own
  Nanos kept = 0;                 // when; 0: being written
  uint64_t order = 0;             // of its close among all of this host (CloseQueue); 0: it has none
  std::string error;              // why

  [[nodiscard]] std::string to_json() const;
  // Failures: corrupt.
  static Result<KeptIdentity> from_json(const std::string& json);
};

}  // namespace cairn
