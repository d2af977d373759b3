// Directory records between memory and bytes (docs/format.md, "Directory records").
#pragma once

#include <array>
#include <optional>
#include <string>

#include "store/format/directory_state.h"
#include "store/format/envelope.h"

namespace cairn {

// A snapshot comes at least this often, so that nobody ever reads more records than this to load a directory; a record
// that says otherwise is corrupt.
inline constexpr RecordNumber kRecordsPerSnapshot = 64;

// A record as its writer knows it: what changed against the state before it.
struct Record {
  EntryId directory = 0;
  RecordNumber number = 0;
  RecordNumber snapshot = 0;  // = number: a snapshot, whose changes list every entry
  std::array<std::byte, 16> commit{};
  Nanos time = 0;
  std::string host;
  std::optional<Attributes> attributes;
  DirectoryChanges changes;  // nullptr: the name is gone
  bool removed = false;
};

// The object's bytes. `before` is the state that `record.changes` alter: versions which it already lists under any name
// that this record changes are written as references into it, by identity of the Version objects. Ignored for
// snapshots. Failures: no_space (a directory beyond kMaxMessageBytes of envelope.h).
Result<Buffer> encode_record(const Record& record, const DirectoryState& before, uint32_t chunk_size);

// Checks digest, grammar, and that it is record `number` of `directory`; resolves references into `before`.
// Versions taken over share their Version objects with `before`. Failures: corrupt; unsupported; no_space (it, or what
// it becomes, takes more than `most_bytes`).
Result<Record> decode_record(ByteView object, EntryId directory, RecordNumber number, const DirectoryState& before,
                             uint32_t chunk_size, uint64_t most_bytes = kMaxMessageBytes);

// Only Record::snapshot, after checking the digest: what a loader needs before it knows `before`.
// Failures: those of decode_record.
Result<RecordNumber> snapshot_of_record(ByteView object, EntryId directory, RecordNumber number,
                                        uint64_t most_bytes = kMaxMessageBytes);

// What `record` makes of `state`.
void apply_record(const Record& record, DirectoryState& state);

}  // namespace cairn
