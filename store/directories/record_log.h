// The records of one directory, as objects in the store.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "store/directories/directory_edit.h"
#include "store/environment.h"
#include "store/format/record.h"

namespace cairn {

// A directory as of one record, with the sizes and marks that the writer of the next one needs.
struct LoggedState {
  DirectoryState state;
  RecordNumber number = 0;      // of the last record applied; 0: none yet
  RecordNumber snapshot = 0;    // the newest snapshot at or before it
  uint64_t snapshot_bytes = 0;  // the size of that snapshot's object
  uint64_t delta_bytes = 0;     // of the records since, together
  std::set<std::string> moves;  // names whose entries carry a Move

  // `record` is the next one, or any later snapshot; its object was `object_bytes` long.
  void apply(const Record& record, uint64_t object_bytes);
};

struct RecordObject {
  RecordNumber number = 0;
  Buffer bytes;
};

struct EncodedRecord {
  Record record;
  Buffer object;
};

// Thread-safety: immutable. Ownership: borrows the environment. Failures: those of ObjectStore, and corrupt.
class RecordLog {
 public:
  RecordLog(StoreEnvironment& environment, EntryId directory) : environment_(environment), directory_(directory) {}

  [[nodiscard]] EntryId directory() const { return directory_; }

  // All records that a host which has applied record `known` (0: none) still needs: the ones after it, or, if there is
  // a later snapshot, that snapshot and the ones after it. One listing, then the records, several at a time.
  // Failures: not_found (the directory has no records); no_space (they take more memory than this mount has for them).
  [[nodiscard]] Result<std::vector<RecordObject>> fetch_since(RecordNumber known, const RequestContext& context) const;
  // Failures: not_found (there is no such record, yet).
  [[nodiscard]] Result<RecordObject> fetch(RecordNumber number, const RequestContext& context) const;
  // The record in `object`, which is a snapshot or has the number after that of `base`. Failures also: unsupported.
  [[nodiscard]] Result<Record> decode(const RecordObject& object, const LoggedState& base,
                                      const RequestContext& context) const;

  // Record `number` could not be used, for `error`: from the second time on, who asks for it is answered with that, as
  // long as it is the same object. `newest`: of the listing that it came by; 0: it did not.
  void refuse(RecordNumber number, RecordNumber newest, const Error& error, const RequestContext& context) const;

  // The directory as of record `number`. Failures: not_found (there is none, or it is gone).
  [[nodiscard]] Result<LoggedState> load(RecordNumber number, const RequestContext& context) const;

  // Which names of a directory's next state are to be forgotten, history and all.
  using Expired = std::function<std::vector<std::string>(const DirectoryState& state)>;
  // The record after `base` that makes `edit`'s changes: a snapshot if it is time for one, which is also when `expired`
  // is asked.
  [[nodiscard]] Result<EncodedRecord> encode_next(const LoggedState& base, const DirectoryEdit& edit,
                                                  const Expired& expired) const;
  // The one atomic step there is. Failures: already_exists: another record has this number, or this very one has,
  // by an earlier try whose answer was lost.
  [[nodiscard]] Result<void> put(const EncodedRecord& encoded, const RequestContext& context) const;

 private:
  [[nodiscard]] Result<RecordNumber> newest(const RequestContext& context) const;
  [[nodiscard]] Result<void> check_refused(RecordNumber number, RecordNumber newest,
                                           const RequestContext& context) const;
  [[nodiscard]] Result<RecordObject> fetch_within(uint64_t most_bytes, RecordNumber number,
                                                  const RequestContext& context) const;
  [[nodiscard]] Result<std::vector<RecordObject>> fetch_until(RecordNumber last, RecordNumber known,
                                                              const RequestContext& context) const;
  [[nodiscard]] Result<std::vector<RecordObject>> fetch_range(RecordNumber first, RecordNumber end,
                                                              const RequestContext& context) const;
  [[nodiscard]] Record next_delta(const LoggedState& base, const DirectoryEdit& edit) const;
  static void make_snapshot(Record& record, const LoggedState& base, const DirectoryEdit& edit, const Expired& expired);
  [[nodiscard]] Result<Buffer> encode(const Record& record, const LoggedState& base) const;

  StoreEnvironment& environment_;
  const EntryId directory_;
};

}  // namespace cairn
