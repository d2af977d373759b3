// One name in a directory, as the rest of the program sees it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "store/format/manifest.h"

namespace cairn {

// What a name in a directory may be: 1 … 255 bytes of valid UTF-8 without "/" and NUL, and not "." or "..".
bool is_valid_name(std::string_view name);
// Well-formed UTF-8 as RFC 3629 has it: no surrogates, no overlong forms.
bool is_valid_utf8(std::string_view text);

enum class Kind { file, directory, symlink, fifo, socket };

// Where a version's bytes are: inside the entry, in chunks listed inside the entry, or in chunks listed in a manifest
// object. Content of size 0 is an empty inline buffer.
using Content = std::variant<SharedBuffer, ManifestPtr, Digest>;

// Content at most this long sits inside the entry; so do chunk lists of at most this many chunks.
inline constexpr size_t kMaxInlineBytes = 4096;
inline constexpr size_t kMaxInlineChunks = 16;

// Bytes that are durable in the store, and what storing them took.
struct StoredContent {
  Content content = SharedBuffer{};
  uint64_t size_bytes = 0;
  uint64_t hole_bytes = 0;     // of size_bytes: in no chunk; they read as zeros
  uint32_t chunks_new = 0;     // sent for it
  uint32_t chunks_shared = 0;  // already in the store
  uint64_t stored_bytes = 0;   // encoded, sent for it
};

// One published content. Immutable and shared: two states that list the same version share the object, which is how a
// delta knows what it need not repeat. Its number is its position in Entry::versions.
struct Version : StoredContent {
  Nanos published = 0;
  Nanos mtime = 0;
  std::string host;
  uint64_t session = 0;  // the open file that published it; a later commit of the same one replaces it
};
using VersionPtr = std::shared_ptr<const Version>;

struct Attributes {
  uint32_t mode = 0;  // 07777
  uint32_t uid = 0;
  uint32_t gid = 0;
  Nanos mtime = 0;
  Nanos ctime = 0;
  std::map<std::string, std::string> xattrs;

  bool operator==(const Attributes&) const = default;
};

// The version of a file that was created and not written yet, published at its ctime by `session` (0: by none).
VersionPtr empty_version(const Attributes& attributes, uint64_t session);

struct Entry;
using EntryPtr = std::shared_ptr<const Entry>;

// The unfinished second half of a rename between directories (docs/format.md, "Moves").
struct Move {
  EntryId directory = 0;
  std::string name;
  EntryPtr replacement;  // nullptr: the old name goes
  uint64_t attempt = 0;  // of a directory: what Leaving says of it where it also stands, or the move is called off
};

// A directory here is about to move to another one (docs/format.md, "Moves of directories"). On a deleted entry: it has
// left by this attempt, and by no other.
struct Leaving {
  uint64_t attempt = 0;     // random: another for each try of each move; 0: none is under way
  EntryId directory = 0;    // where it is to go
  bool called_off = false;  // an earlier attempt was, but may still arrive where it was going to
};

// A live entry of any kind carries the history of its name. Of a file the last version is the content; under a symlink,
// a directory, a fifo or a socket stand those of the files that had the name before, and none of them is its own.
struct Entry {
  EntryId id = 0;
  Kind kind = Kind::file;
  Attributes attributes;  // not for directories
  std::string target;     // symlinks
  VersionNumber first_version = 1;
  std::vector<VersionPtr> versions;  // oldest first
  std::optional<Nanos> deleted;      // set: the name is free and only the history is left
  std::optional<Move> move;
  std::optional<Leaving> leaving;

  // What a file holds; nullptr if it was never published, and for every other kind.
  [[nodiscard]] VersionPtr current() const {
    return kind != Kind::file || versions.empty() ? nullptr : versions.back();
  }
  // The number of the newest version in the history.
  [[nodiscard]] VersionNumber current_number() const { return first_version + versions.size() - 1; }
  // nullptr if there is no such version, or no longer.
  [[nodiscard]] VersionPtr version(VersionNumber number) const;
  [[nodiscard]] uint64_t size_bytes() const {
    const VersionPtr version = current();
    return version ? version->size_bytes : 0;
  }

  // This file with `version` published: appended, or in place of the current one when that is of the same session;
  // never more than `keep_versions` stay listed.
  [[nodiscard]] Entry with_version(VersionPtr version, size_t keep_versions) const;
  // Forgets the oldest versions beyond `keep_versions`; the numbers of the others stay.
  void trim(size_t keep_versions);
  // This entry with the history of `replaced`, which stands or stood under its new name, put in front of its own.
  // An empty file that has no version yet gets an empty one: the old content must not become its own.
  [[nodiscard]] Entry over(const Entry& replaced, size_t keep_versions) const;
};

}  // namespace cairn
