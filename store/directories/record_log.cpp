#include "store/directories/record_log.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <optional>

#include "base/check.h"
#include "base/parallel.h"
#include "base/units.h"
#include "store/format/keys.h"

namespace cairn {

namespace {

// How many records of one directory are asked for at once.
constexpr size_t kFetchWidth = 8;

// By it a host knows its own record in the store when the answer to its put was lost.
std::array<std::byte, 16> random_commit_id(Random& random) {
  std::array<std::byte, 16> id;
  store_le(random.next_u64(), id.data());
  store_le(random.next_u64(), id.data() + 8);
  return id;
}

}  // namespace

void LoggedState::apply(const Record& record, uint64_t object_bytes) {
  const bool is_snapshot = record.snapshot == record.number;
  check(record.number == number + 1 || (is_snapshot && record.number > number), "records are applied in order");
  apply_record(record, state);
  if (is_snapshot) moves.clear();
  for (const auto& [name, entry] : record.changes) {
    if (entry && entry->move) {
      moves.insert(name);
    } else {
      moves.erase(name);
    }
  }
  number = record.number;
  snapshot = record.snapshot;
  snapshot_bytes = is_snapshot ? object_bytes : snapshot_bytes;
  delta_bytes = is_snapshot ? 0 : delta_bytes + object_bytes;
}

// Keys count downwards (docs/format.md), so the first one listed is the newest record.
Result<RecordNumber> RecordLog::newest(const RequestContext& context) const {
  const auto page = environment_.objects.list(keys::directory(directory_), {}, 1, context);
  if (!page) return fail(page.error().in(fmt::format("list directory {:016x}", directory_)));
  if (page->objects.empty()) return fail(Errc::not_found, "directory {:016x} has no records", directory_);
  EntryId id = 0;
  RecordNumber number = 0;
  if (!keys::parse_record(page->objects.front().key, &id, &number)) {
    return fail(Errc::corrupt, "'{}' is no record's key", page->objects.front().key);
  }
  return number;
}

void RecordLog::refuse(RecordNumber number, RecordNumber newest, const Error& error,
                       const RequestContext& context) const {
  const bool is_of_the_record =
      error.code() == Errc::corrupt || error.code() == Errc::no_space || error.code() == Errc::unsupported;
  if (!is_of_the_record) return;
  auto object = environment_.objects.head(keys::record(directory_, number), context);
  if (!object) return;
  environment_.refused.add(directory_, {number, newest, std::move(*object), error}, environment_.clock.steady_now());
}

// Asks the store of the object in place of reading it. What has changed is read.
Result<void> RecordLog::check_refused(RecordNumber number, RecordNumber newest, const RequestContext& context) const {
  const auto refusal = environment_.refused.find(directory_, environment_.clock.steady_now());
  if (!refusal || refusal->newest != newest || (number != 0 && refusal->number != number)) return {};
  const auto now = environment_.objects.head(keys::record(directory_, refusal->number), context);
  if (now && RefusedRecords::is_same_object(*now, refusal->object)) return fail(refusal->error);
  environment_.refused.forget(directory_);
  return {};
}

Result<RecordObject> RecordLog::fetch(RecordNumber number, const RequestContext& context) const {
  if (auto usable = check_refused(number, 0, context); !usable) return fail(std::move(usable).error());
  return fetch_within(environment_.most_metadata_bytes(), number, context);
}

Result<RecordObject> RecordLog::fetch_within(uint64_t most_bytes, RecordNumber number,
                                             const RequestContext& context) const {
  auto bytes = environment_.objects.get(keys::record(directory_, number), {.most_bytes = most_bytes}, context);
  if (!bytes) return fail(bytes.error().in(fmt::format("record {} of directory {:016x}", number, directory_)));
  return RecordObject{number, std::move(*bytes)};
}

Result<std::vector<RecordObject>> RecordLog::fetch_range(RecordNumber first, RecordNumber end,
                                                         const RequestContext& context) const {
  const uint64_t most_bytes = environment_.most_metadata_bytes();
  std::atomic<uint64_t> bytes{0};
  const auto bring = [&](size_t i, uint64_t share) -> Result<RecordObject> {
    if (bytes > most_bytes) {
      return fail(Errc::no_space, "directory {:016x}: more than {} of records: give the mount more `memory`",
                  directory_, human_bytes(most_bytes));
    }
    auto object = fetch_within(std::min(share, most_bytes), first + i, context);
    if (object) bytes += object->bytes.size();
    return object;
  };
  std::vector<std::optional<Result<RecordObject>>> fetched(first < end ? end - first : 0);
  run_in_parallel(environment_.io, fetched.size(), kFetchWidth - 1,
                  [&](size_t i) { fetched[i] = bring(i, most_bytes / kFetchWidth); });
  std::vector<RecordObject> records;
  for (size_t i = 0; i < fetched.size(); ++i) {
    auto& object = *fetched[i];
    // One that is larger than its share of what all may have is brought while no other is.
    if (!object && object.error().code() == Errc::corrupt) object = bring(i, most_bytes);
    if (!object) return fail(std::move(object).error());
    records.push_back(std::move(*object));
  }
  return records;
}

// The newest record is read before the others: its header names the snapshot that loading begins with. Records never
// change and never go, so one that appears meanwhile spoils nothing; it is found by the next question.
Result<std::vector<RecordObject>> RecordLog::fetch_since(RecordNumber known, const RequestContext& context) const {
  const auto last = newest(context);
  if (!last) return fail(last.error());
  if (*last <= known) return std::vector<RecordObject>();
  if (auto usable = check_refused(0, *last, context); !usable) return fail(std::move(usable).error());
  auto records = fetch_until(*last, known, context);
  if (!records) refuse(*last, *last, records.error(), context);
  return records;
}

Result<std::vector<RecordObject>> RecordLog::fetch_until(RecordNumber last, RecordNumber known,
                                                         const RequestContext& context) const {
  auto last_object = fetch_within(environment_.most_metadata_bytes(), last, context);
  if (!last_object) return fail(last_object.error());
  const auto snapshot =
      snapshot_of_record(last_object->bytes.view(), directory_, last, environment_.most_metadata_bytes());
  if (!snapshot) return fail(snapshot.error());
  auto records = fetch_range(std::max(*snapshot, known + 1), last, context);
  if (!records) return fail(records.error());
  records->push_back(std::move(*last_object));
  return records;
}

Result<Record> RecordLog::decode(const RecordObject& object, const LoggedState& base,
                                 const RequestContext& context) const {
  const auto room = environment_.room_to_decode(claimed_message_bytes(object.bytes.view()), context);
  if (!room) return fail(room.error().in(fmt::format("directory {:016x}", directory_)));
  auto record = decode_record(object.bytes.view(), directory_, object.number, base.state,
                              environment_.format.chunk_size, environment_.most_metadata_bytes());
  if (!record) {
    if (record.error().code() == Errc::corrupt) ++environment_.counters.corrupt_objects;
    return record;
  }
  // A delta changes the one state that its writer had. Applied to any other it would give a wrong directory, and
  // nothing would notice.
  const bool is_snapshot = record->snapshot == record->number;
  if (!is_snapshot && (record->number != base.number + 1 || record->snapshot != base.snapshot)) {
    return fail(Errc::corrupt,
                "record {} of directory {:016x} builds on snapshot {}, found after record {} of snapshot {}",
                record->number, directory_, record->snapshot, base.number, base.snapshot);
  }
  return record;
}

Result<LoggedState> RecordLog::load(RecordNumber number, const RequestContext& context) const {
  const auto last = fetch(number, context);
  if (!last) return fail(last.error());
  const auto snapshot = snapshot_of_record(last->bytes.view(), directory_, number);
  if (!snapshot) return fail(snapshot.error());
  const auto objects = fetch_range(*snapshot, number + 1, context);
  if (!objects) return fail(objects.error());
  LoggedState state;
  for (const RecordObject& object : *objects) {
    const auto record = decode(object, state, context);
    if (!record) return fail(record.error());
    state.apply(*record, object.bytes.size());
  }
  return state;
}

Record RecordLog::next_delta(const LoggedState& base, const DirectoryEdit& edit) const {
  Record record;
  record.directory = directory_;
  record.number = base.number + 1;
  record.snapshot = base.snapshot;
  record.commit = random_commit_id(environment_.random);
  record.time = environment_.clock.wall_now();
  record.host = environment_.options.host;
  record.attributes = edit.changed_attributes();
  record.changes = edit.changes();
  record.removed = edit.removed();
  return record;
}

void RecordLog::make_snapshot(Record& record, const LoggedState& base, const DirectoryEdit& edit,
                              const Expired& expired) {
  DirectoryState state = base.state;
  edit.apply_to(state);
  // Retention is applied here only: a snapshot leaves out what has expired, while a delta would have to list it.
  for (const std::string& name : expired(state)) state.entries.erase(name);
  record.snapshot = record.number;
  record.attributes = std::move(state.attributes);
  record.changes = std::move(state.entries);
}

Result<Buffer> RecordLog::encode(const Record& record, const LoggedState& base) const {
  return encode_record(record, base.state, environment_.format.chunk_size);
}

// The delta is encoded even where a snapshot may follow, since its size decides: once the deltas are larger than their
// snapshot, a new one costs less than they cost everybody who loads the directory.
Result<EncodedRecord> RecordLog::encode_next(const LoggedState& base, const DirectoryEdit& edit,
                                             const Expired& expired) const {
  // Nobody commits so often: somebody has forged it. The next number would sort behind all others, and never be read.
  if (base.number == std::numeric_limits<RecordNumber>::max()) {
    return fail(Errc::corrupt, "directory {:016x}: no record can follow number {}", directory_, base.number);
  }
  Record record = next_delta(base, edit);
  if (base.snapshot != 0 && record.number - base.snapshot < kRecordsPerSnapshot) {
    auto delta = encode(record, base);
    if (!delta) return fail(delta.error());
    const bool outweighs = base.delta_bytes + delta->size() > base.snapshot_bytes;
    if (!outweighs) return EncodedRecord{std::move(record), std::move(*delta)};
  }
  make_snapshot(record, base, edit, expired);
  auto snapshot = encode(record, base);
  if (!snapshot) return fail(snapshot.error());
  return EncodedRecord{std::move(record), std::move(*snapshot)};
}

Result<void> RecordLog::put(const EncodedRecord& encoded, const RequestContext& context) const {
  const auto put = environment_.objects.put_if_absent(keys::record(directory_, encoded.record.number),
                                                      encoded.object.view(), context);
  if (put) return {};
  return fail(put.error().in(fmt::format("record {} of directory {:016x}", encoded.record.number, directory_)));
}

}  // namespace cairn
