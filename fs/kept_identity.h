// What a kept draft says of the file it belongs to, for the process that finds it after a restart.
#pragma once

#include <string>

#include "store/format/entry.h"

namespace cairn {

struct KeptIdentity {
  EntryId directory = 0;
  std::string name;
  std::string path;  // for people
  Entry file;        // id and attributes: for a new entry, if the store has never heard of the file
  uint64_t session = 0;
  Nanos mtime = 0;

  [[nodiscard]] std::string to_json() const;
  // Failures: corrupt.
  static Result<KeptIdentity> from_json(const std::string& json);
};

}  // namespace cairn
