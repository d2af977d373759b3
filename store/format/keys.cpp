#include "store/format/keys.h"

#include <fmt/format.h>

#include <limits>
#include <string_view>

namespace cairn::keys {

namespace {

constexpr size_t kIdDigits = 16;
constexpr size_t kDigestDigits = 64;

// Two leading digits as a folder keep any one folder of a directory store at a 256th of all objects.
std::string digest_key(std::string_view prefix, const Digest& id) {
  const std::string hex = id.hex();
  return fmt::format("{}{}/{}", prefix, std::string_view(hex).substr(0, 2), hex);
}

bool parse_digest_key(std::string_view prefix, std::string_view key, Digest* id) {
  if (key.size() != prefix.size() + 3 + kDigestDigits || !key.starts_with(prefix)) return false;
  const std::string_view folder = key.substr(prefix.size(), 3);
  const std::string_view hex = key.substr(prefix.size() + 3);
  return folder[2] == '/' && folder.substr(0, 2) == hex.substr(0, 2) && Digest::parse(hex, id);
}

bool parse_u64(std::string_view hex, uint64_t* value) {
  std::array<std::byte, 8> bytes;
  if (!from_hex(hex, bytes)) return false;
  *value = 0;
  for (const std::byte byte : bytes) *value = (*value << 8) | std::to_integer<uint64_t>(byte);
  return true;
}

// The same function turns a number into what its key shows, and back.
uint64_t inverted(uint64_t number) { return std::numeric_limits<uint64_t>::max() - number; }

}  // namespace

std::string chunk(const ChunkId& id) { return digest_key(kChunks, id); }

std::string manifest(const Digest& id) { return digest_key(kManifests, id); }

std::string profile(const Digest& id) { return digest_key(kProfiles, id); }

std::string directory(EntryId id) { return fmt::format("{}{:016x}/", kDirectories, id); }

std::string record(EntryId id, RecordNumber number) {
  return fmt::format("{}{:016x}/{:016x}", kDirectories, id, inverted(number));
}

bool parse_chunk(const std::string& key, ChunkId* id) { return parse_digest_key(kChunks, key, id); }

bool parse_manifest(const std::string& key, Digest* id) { return parse_digest_key(kManifests, key, id); }

bool parse_record(const std::string& key, EntryId* id, RecordNumber* number) {
  const std::string_view prefix = kDirectories;
  if (key.size() != prefix.size() + 2 * kIdDigits + 1 || !key.starts_with(prefix)) return false;
  const std::string_view rest = std::string_view(key).substr(prefix.size());
  uint64_t shown = 0;
  if (rest[kIdDigits] != '/' || !parse_u64(rest.substr(0, kIdDigits), id) ||
      !parse_u64(rest.substr(kIdDigits + 1), &shown)) {
    return false;
  }
  *number = inverted(shown);
  return *number != 0;
}

}  // namespace cairn::keys
