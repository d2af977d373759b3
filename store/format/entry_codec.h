// Entries and attributes between memory and the messages of format.proto.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "store/format/directory_state.h"

namespace cairn {

namespace format {
class Attributes;
class Entry;
}  // namespace format

// The versions that a delta may refer to instead of repeating them, each once: those which the state before it lists
// under the names that it changes. So no delta makes a state of more versions than the one before it had and its own
// bytes hold. Empty for a snapshot.
class KnownVersions {
 public:
  struct Listed {
    const std::string* name = nullptr;
    VersionNumber number = 0;
  };

  KnownVersions() = default;
  // Borrows both: they outlive this object.
  KnownVersions(const DirectoryChanges& changes, const DirectoryState& before);
  // nullopt: it is not known, or has been taken.
  [[nodiscard]] std::optional<Listed> take(const VersionPtr& version);

 private:
  std::unordered_map<const Version*, Listed> listed_;
};

void write_attributes(const Attributes& attributes, format::Attributes* proto);
void write_entry(const Entry& entry, KnownVersions& known, uint32_t chunk_size, format::Entry* proto);

// What a delta's entries take over of the state before it.
struct TakenOver {
  const DirectoryState& before;
  uint64_t most_versions = 0;  // that are left to take: at first, all under the names that the delta changes
};

// Failures: corrupt. `taken_over` is nullptr where nothing may be (snapshots).
Result<Attributes> read_attributes(const format::Attributes& proto);
Result<Entry> read_entry(const format::Entry& proto, TakenOver* taken_over, uint32_t chunk_size);

// One version by itself, for what this machine keeps outside the store.
std::string serialize_version(const VersionPtr& version, uint32_t chunk_size);
// Failures: corrupt.
Result<VersionPtr> parse_version(ByteView bytes, uint32_t chunk_size);

}  // namespace cairn
