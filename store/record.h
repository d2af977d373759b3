// Directory records and manifest objects between memory and bytes (docs/format.md, "Records", "Manifests").
#pragma once

#include <array>
#include <optional>
#include <string>

#include "store/directory.h"

namespace cairn {

// A record as its writer knows it: what changed against the state before it.
struct Record {
  EntryId directory = 0;
  RecordNumber number = 0;
  RecordNumber snapshot = 0;  // = number: a snapshot, whose changes list every entry
  std::array<std::byte, 16> commit{};
  Nanos time = 0;
  std::string host;
  std::optional<Attributes> attributes;
  DirectoryEdit::Changes changes;  // nullptr: the name is gone
  bool removed = false;
};

// The object's bytes. `before` is the state that `record.changes` alter: versions which it already lists under any name
// that this record changes are written as references into it, by identity of the Version objects. Ignored for
// snapshots. Failures: no_space (a directory beyond kMaxMessageBytes of envelope.h).
Result<Buffer> encode_record(const Record& record, const DirectoryState& before, uint32_t chunk_size);

// Checks digest, grammar, and that it is record `number` of `directory`; resolves references into `before`.
// Versions taken over share their Version objects with `before`. Failures: corrupt, unsupported.
Result<Record> decode_record(ByteView object, EntryId directory, RecordNumber number, const DirectoryState& before,
                             uint32_t chunk_size);

// Only Record::snapshot, after checking the digest: what a loader needs before it knows `before`.
Result<RecordNumber> snapshot_of_record(ByteView object, EntryId directory, RecordNumber number);

// What `record` makes of `state`.
void apply_record(const Record& record, DirectoryState& state);

// Manifest objects. The id is the SHA-256 of the serialised message, so the same chunk list is the same object.
struct EncodedManifest {
  Digest id;
  Buffer object;
};
// Failures: no_space (a chunk list beyond kMaxMessageBytes of envelope.h).
Result<EncodedManifest> encode_manifest(const Manifest& manifest, uint32_t chunk_size);
// Failures: corrupt (digest, grammar, or not the manifest named `id`), unsupported.
Result<Manifest> decode_manifest(ByteView object, const Digest& id, uint32_t chunk_size);

// Content at most this long sits inside the entry; so do chunk lists of at most this many chunks.
inline constexpr size_t kMaxInlineBytes = 4096;
inline constexpr size_t kMaxInlineChunks = 16;

}  // namespace cairn
