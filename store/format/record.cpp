#include "store/format/record.h"

#include <google/protobuf/arena.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include "base/check.h"
#include "store/format/entry_codec.h"
#include "store/format/envelope.h"
#include "store/format/format.pb.h"
#include "store/format/messages.h"

namespace cairn {

namespace {

using google::protobuf::Arena;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

void write_record(const Record& record, KnownVersions& known, uint32_t chunk_size, format::DirectoryRecord* proto) {
  proto->set_directory(record.directory);
  proto->set_number(record.number);
  proto->set_snapshot(record.snapshot);
  proto->set_commit(std::string(as_text(record.commit)));
  proto->set_time_ns(record.time);
  proto->set_host(record.host);
  if (record.attributes) write_attributes(*record.attributes, proto->mutable_attributes());
  for (const auto& [name, entry] : record.changes) {
    check(is_valid_name(name), "names are checked before they reach a record");
    format::Change* change = proto->add_changes();
    change->set_name(name);
    if (entry) write_entry(*entry, known, chunk_size, change->mutable_entry());
  }
  proto->set_removed(record.removed);
}

bool can_build_on(RecordNumber number, RecordNumber snapshot) {
  return snapshot != 0 && snapshot <= number && number - snapshot < kRecordsPerSnapshot;
}

Result<void> check_header(const format::DirectoryRecord& proto, EntryId directory, RecordNumber number) {
  if (proto.directory() != directory || proto.number() != number) {
    return fail(Errc::corrupt, "record {} of {:016x} under the key of another", proto.number(), proto.directory());
  }
  if (!can_build_on(number, proto.snapshot())) {
    return fail(Errc::corrupt, "record {} on snapshot {}", number, proto.snapshot());
  }
  const bool is_snapshot = proto.snapshot() == number;
  if (is_snapshot && !proto.has_attributes()) return fail(Errc::corrupt, "a snapshot without attributes");
  if (proto.commit().size() != sizeof(Record::commit)) return fail(Errc::corrupt, "no commit id");
  return {};
}

// `taken_over` is nullptr for a snapshot.
Result<EntryPtr> read_change(const format::Change& change, TakenOver* taken_over, uint32_t chunk_size) {
  if (!is_valid_name(change.name())) return fail(Errc::corrupt, "a name that no directory may hold");
  if (!change.has_entry()) {
    if (taken_over == nullptr) return fail(Errc::corrupt, "'{}' without an entry", change.name());
    return EntryPtr();
  }
  auto entry = read_entry(change.entry(), taken_over, chunk_size);
  if (!entry) return fail(entry.error().in(fmt::format("entry '{}'", change.name())));
  return std::make_shared<const Entry>(std::move(*entry));
}

Result<DirectoryChanges> read_changes(const format::DirectoryRecord& proto, const DirectoryState& before,
                                      uint32_t chunk_size) {
  const bool is_snapshot = proto.snapshot() == proto.number();
  TakenOver taken_over{before};
  for (const format::Change& change : proto.changes()) {
    const auto found = before.entries.find(change.name());
    if (found != before.entries.end()) taken_over.most_versions += found->second->versions.size();
  }
  DirectoryChanges changes;
  for (const format::Change& change : proto.changes()) {
    if (!changes.empty() && changes.rbegin()->first >= change.name()) {
      return fail(Errc::corrupt, "names out of order");
    }
    auto entry = read_change(change, is_snapshot ? nullptr : &taken_over, chunk_size);
    if (!entry) return fail(std::move(entry).error());
    changes.emplace_hint(changes.end(), change.name(), std::move(*entry));
  }
  return changes;
}

Result<Record> read_record(const format::DirectoryRecord& proto, const DirectoryState& before, uint32_t chunk_size) {
  Record record;
  record.directory = proto.directory();
  record.number = proto.number();
  record.snapshot = proto.snapshot();
  std::memcpy(record.commit.data(), proto.commit().data(), record.commit.size());
  record.time = proto.time_ns();
  record.host = proto.host();
  record.removed = proto.removed();
  if (proto.has_attributes()) {
    auto attributes = read_attributes(proto.attributes());
    if (!attributes) return fail(std::move(attributes).error());
    record.attributes = std::move(*attributes);
  }
  auto changes = read_changes(proto, before, chunk_size);
  if (!changes) return fail(std::move(changes).error());
  record.changes = std::move(*changes);
  return record;
}

struct RecordHeader {
  uint64_t directory = 0, number = 0, snapshot = 0;
};

// The header fields are the first of the message and stay the same in every record: a large snapshot is not parsed
// for them. Written for messages as our encoder orders them; in any other the fields it misses stay 0.
RecordHeader scan_header(ByteView message) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()), static_cast<int>(message.size()));
  RecordHeader header;
  const auto expect = [&](int field, WireFormatLite::WireType type) {
    return in.ReadTag() == WireFormatLite::MakeTag(field, type);
  };
  const bool complete = expect(format::DirectoryRecord::kDirectoryFieldNumber, WireFormatLite::WIRETYPE_FIXED64) &&
                        in.ReadLittleEndian64(&header.directory) &&
                        expect(format::DirectoryRecord::kNumberFieldNumber, WireFormatLite::WIRETYPE_VARINT) &&
                        in.ReadVarint64(&header.number) &&
                        expect(format::DirectoryRecord::kSnapshotFieldNumber, WireFormatLite::WIRETYPE_VARINT) &&
                        in.ReadVarint64(&header.snapshot);
  return complete ? header : RecordHeader{};
}

std::string describe(EntryId directory, RecordNumber number) {
  return fmt::format("record {} of directory {:016x}", number, directory);
}

}  // namespace

Result<Buffer> encode_record(const Record& record, const DirectoryState& before, uint32_t chunk_size) {
  const bool is_snapshot = record.snapshot == record.number;
  KnownVersions known = is_snapshot ? KnownVersions() : KnownVersions(record.changes, before);
  Arena arena;
  auto* proto = Arena::CreateMessage<format::DirectoryRecord>(&arena);
  write_record(record, known, chunk_size, proto);
  auto message = serialize(*proto);
  if (!message) return fail(message.error().in(describe(record.directory, record.number)));
  return wrap_envelope(kRecordMagic, message->view());
}

Result<Record> decode_record(ByteView object, EntryId directory, RecordNumber number, const DirectoryState& before,
                             uint32_t chunk_size, uint64_t most_bytes) {
  const auto in_record = [&](const Error& error) { return fail(error.in(describe(directory, number))); };
  auto message = unwrap_envelope(kRecordMagic, object, most_bytes);
  if (!message) return in_record(message.error());
  ParsedMessage<format::DirectoryRecord> parsed(most_bytes);
  const auto proto = parsed.parse(message->view(), "DirectoryRecord");
  if (!proto) return in_record(proto.error());
  if (auto header = check_header(**proto, directory, number); !header) return in_record(header.error());
  auto record = read_record(**proto, before, chunk_size);
  if (!record) return in_record(record.error());
  return record;
}

Result<RecordNumber> snapshot_of_record(ByteView object, EntryId directory, RecordNumber number, uint64_t most_bytes) {
  auto message = unwrap_envelope(kRecordMagic, object, most_bytes);
  if (!message) return fail(message.error().in(describe(directory, number)));
  const RecordHeader header = scan_header(message->view());
  if (header.directory != directory || header.number != number || !can_build_on(number, header.snapshot)) {
    return fail(Errc::corrupt, "{}: its header says record {} of {:016x} on snapshot {}", describe(directory, number),
                header.number, header.directory, header.snapshot);
  }
  return header.snapshot;
}

void apply_record(const Record& record, DirectoryState& state) {
  if (record.attributes) state.attributes = *record.attributes;
  state.removed = record.removed;
  if (record.snapshot == record.number) return state.replace(record.changes);
  state.apply(record.changes);
}

}  // namespace cairn
