// Before a directory moves to another one: the notice of it, by which hosts that move two directories into each other
// learn of each other.
#pragma once

#include <functional>
#include <string>

#include "store/directories/directory.h"

namespace cairn {

// Looks at every directory from both ends of a move up to the root, with Namespace::confirm_link for each step.
// Failures: EINVAL (the directory would be inside itself), ESTALE (somebody has moved one of them), conflict (one of
// them is about to leave).
using AncestryWalk = std::function<Result<void>(uint64_t attempt, const RequestContext& context)>;

// Says at the live entry `id` that it is about to leave: in place of an earlier notice, which is called off by that.
// Failures: conflict (it is not there any more).
Mutation announce(const std::string& name, EntryId id, uint64_t attempt, EntryId towards);
// Takes that notice back, wherever in the directory the entry stands by now. The move cannot happen any more: only a
// directory that carries its notice departs. `never_arrives`: nothing was sent to where it was to go.
Mutation call_off(const std::string& name, EntryId id, uint64_t attempt, bool never_arrives);

// Whether `entry` carries the notice of that attempt.
[[nodiscard]] bool is_leaving(const Entry& entry, uint64_t attempt);
// Whether the directory `id`, which does not stand in `source`, has left it by another attempt than this one.
[[nodiscard]] bool has_left_otherwise(const Directory& source, EntryId id, uint64_t attempt);

// `entry` without any such notice: as it stands where it has arrived.
[[nodiscard]] Entry without_notice(Entry entry);

// The live entry `id` of the last known record: under `name`, or under another.
struct Standing {
  std::string name;
  EntryPtr entry;  // nullptr: not there
};
Standing find_standing(const Directory& directory, const std::string& name, EntryId id);

}  // namespace cairn
