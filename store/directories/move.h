// The steps of a rename between directories, as changes of one directory each.
#pragma once

#include <string>

#include "store/directories/directory_edit.h"

namespace cairn {

// `moved` with the versions that were published since to `left`, the same file under its old name, in order of
// publication, and with its attributes where they are newer.
Entry with_newer(const Entry& moved, const Entry& left, size_t keep_versions);
// Whether with_newer would differ from `moved`.
bool has_newer(const Entry& moved, const Entry& left);

// Frees `name`, history and all, or gives it to `replacement`. Does nothing if it no longer stands for this id; fails
// with conflict if it does, but is not the very `entry` (it was changed meanwhile).
Mutation leave(const std::string& name, const EntryPtr& entry, const EntryPtr& replacement, Nanos now);

// Ends the move: `name`, if it is still the entry `id` marked with this move, is marked no longer.
Mutation clear_mark(const std::string& name, EntryId id, const Move& move);

}  // namespace cairn
