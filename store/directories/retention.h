// Which deleted names have been deleted for long enough to be forgotten.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/directories/record_log.h"

namespace cairn {

// No host's clock decides that alone, neither the one that deleted the name nor the one that writes the snapshot: the
// store is asked, too, when it got the records (ObjectInfo::created). Let `keep` be the store's retention, and `pause`
// a thirtieth of it, at most a day. A deleted entry has expired if
// - by this host's clock `keep` has passed since (a time of deletion that is yet to come says nothing), and
// - a record that already lists the entry as deleted is by `keep` older than some later one, which is by `pause` older
//   than the newest: so a store that is dated by a host's own clock forgets nothing in the first `pause` after a jump.
// The store is asked at most once in the shorter of `pause` and an hour, and only if something has expired by this
// host's clock: about twice log2(records) heads, and the records of one load.
//
// Thread-safety: for the thread that has the directory's turn. Ownership: borrows both.
// Failures: what cannot be found out has not expired.
class Retention {
 public:
  Retention(StoreEnvironment& environment, const RecordLog& log) : environment_(environment), log_(log) {}

  // Names of `state` that the record after `newest` may leave out, history and all.
  std::vector<std::string> expired(const DirectoryState& state, RecordNumber newest, const RequestContext& context);

 private:
  // A record, and when the store got it.
  struct Dated {
    RecordNumber number = 0;
    Nanos created = 0;
  };

  [[nodiscard]] bool may_ask();
  [[nodiscard]] Result<std::vector<std::string>> proven(std::vector<std::string> names, const DirectoryState& state,
                                                        RecordNumber newest, const RequestContext& context) const;
  // nullopt: the record is gone, which only old ones are.
  [[nodiscard]] Result<std::optional<Nanos>> created_at(RecordNumber number, const RequestContext& context) const;
  // The newest record before `end` that the store had at `by`; not_found: there is none.
  [[nodiscard]] Result<Dated> newest_by(Nanos by, RecordNumber end, const RequestContext& context) const;

  StoreEnvironment& environment_;
  const RecordLog& log_;
  std::optional<SteadyTime> asked_;
};

}  // namespace cairn
