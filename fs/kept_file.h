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
  queued,        // its close has returned, and its turn to be published has not come (CloseQueue)
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
  bool being_kept = false;             // it is being written down: nobody may let go of it
  bool is_late = false;                // an earlier process closed it: the name may have gone on since
  bool untold = false;                 // it failed in the background, and the file's next close or fsync says so
  bool unreported = false;             // the same, for `cairnfs sync`
  std::chrono::nanoseconds delay{0};
  SteadyTime due{};
};

}  // namespace cairn
