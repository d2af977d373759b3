// The names of objects in a store (docs/format.md, "Objects").
#pragma once

#include <string>

#include "base/digest.h"
#include "base/ids.h"

namespace cairn::keys {

inline constexpr const char* kFormat = "cairn.format";
inline constexpr const char* kChunks = "chunks/";
inline constexpr const char* kManifests = "manifests/";
inline constexpr const char* kProfiles = "profiles/";
inline constexpr const char* kDirectories = "dirs/";

std::string chunk(const ChunkId& id);    // chunks/ab/abcd…
std::string manifest(const Digest& id);  // manifests/ab/abcd…
std::string profile(const Digest& id);   // profiles/ab/abcd…: of the version with manifest `id`
std::string directory(EntryId id);       // dirs/<16 hex digits>/
// dirs/<16 hex digits>/<16 hex digits of 2^64-1 - number>: the newest record sorts first.
std::string record(EntryId id, RecordNumber number);

// Back from a key; false if it is none of that kind.
bool parse_chunk(const std::string& key, ChunkId* id);
bool parse_manifest(const std::string& key, Digest* id);
bool parse_record(const std::string& key, EntryId* id, RecordNumber* number);

}  // namespace cairn::keys
