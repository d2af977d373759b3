// The steps of a rename between directories, as changes of one directory each.
#pragma once

#include <optional>
#include <string>

#include "store/directories/directory_edit.h"

namespace cairn {

// `moved` with the versions that were published since to `left`, the same file under its old name, in order of
// publication, and with its attributes where they are newer.
Entry with_newer(const Entry& moved, const Entry& left, size_t keep_versions);
// Whether with_newer would differ from `moved`.
bool has_newer(const Entry& moved, const Entry& left);

// The source's record of a move.
struct Departure {
  std::string name;                  // where the entry stood
  EntryId id = 0;                    // the moved entry
  EntryPtr left;                     // as it was found in the source, live, under any name; nullptr: not there
  std::optional<Entry> replacement;  // what is to stand there, with a mark that leads back to the target
  uint64_t attempt = 0;              // not 0: only an entry that is leaving by this attempt departs
  Nanos now = 0;
  size_t keep_versions = 0;
};

// Frees the entry's name, history and all, or gives it to the replacement: where the name is another's by now, the
// replacement gets one beside it. A replacement that is in the directory already, deleted or live, is not put again.
// Fails with conflict if the entry is not as it was found, or if the move was called off.
Mutation leave(Departure departure);

// Ends the move: the entry `id` with this mark, wherever in the directory it stands by now, is marked no longer.
// clear_mark_of fails with conflict if the entry is not as it was found.
Mutation clear_mark(const std::string& name, EntryId id, const Move& move);
Mutation clear_mark_of(const std::string& name, const EntryPtr& moved);

// Ends a move whose source is gone for good: a replacement appears where it stood before, or beside that.
Mutation bring_home(const std::string& name, const EntryPtr& moved, Nanos now, size_t keep_versions);

// Ends a move that was called off: the entry is not here, and what it took the place of is, under the same name or
// beside it. Fails with conflict if the entry is not as it was found.
Mutation give_back_place(const std::string& name, const EntryPtr& moved, Nanos now, size_t keep_versions);

}  // namespace cairn
