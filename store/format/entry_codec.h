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

// The versions that a delta may refer to instead of repeating them: those which the state before it lists under the
// names that it changes. Empty for a snapshot.
class KnownVersions {
 public:
  struct Listed {
    const std::string* name = nullptr;
    VersionNumber number = 0;
  };

  KnownVersions() = default;
  // Borrows both: they outlive this object.
  KnownVersions(const DirectoryChanges& changes, const DirectoryState& before);
  [[nodiscard]] std::optional<Listed> find(const VersionPtr& version) const;

 private:
  std::unordered_map<const Version*, Listed> listed_;
};

void write_attributes(const Attributes& attributes, format::Attributes* proto);
void write_entry(const Entry& entry, const KnownVersions& known, uint32_t chunk_size, format::Entry* proto);

// Failures: corrupt. `before` resolves what the entry takes over; nullptr where nothing may be (snapshots).
Result<Attributes> read_attributes(const format::Attributes& proto);
Result<Entry> read_entry(const format::Entry& proto, const DirectoryState* before, uint32_t chunk_size);

// One version by itself, for what this machine keeps outside the store.
std::string serialize_version(const VersionPtr& version, uint32_t chunk_size);
// Failures: corrupt.
Result<VersionPtr> parse_version(ByteView bytes, uint32_t chunk_size);

}  // namespace cairn
