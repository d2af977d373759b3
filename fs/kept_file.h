// One draft that waits on this machine to be published, or for a person.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "fs/kept_identity.h"
#include "fs/node.h"
#include "store/drafts/kept_draft.h"

namespace cairn {

enum class KeptState {
  waiting,       // a close failed: tried again until it is published
  undecided,     // its name has gone on in a way that leaves it no place: a person decides
  never_closed,  // it was being written when its process ended: never published by itself
  other_store,   // kept for another store with the same cache directory
};
std::string_view to_string(KeptState state);

// A value; what it points to is shared. `draft` or `at_rest` is there.
struct KeptFile {
  uint64_t number = 0;
  KeptState state = KeptState::waiting;
  KeptIdentity identity;
  std::string error;  // why the last attempt failed, or what is to be decided
  uint64_t size_bytes = 0;
  std::shared_ptr<Draft> draft;        // frozen
  std::shared_ptr<KeptDraft> at_rest;  // from an earlier process, and not opened yet
  FileNodePtr node;                    // held open; nullptr: not placed yet
  std::chrono::nanoseconds delay{0};
  SteadyTime due{};
};

}  // namespace cairn
