#include "store/format/record.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "store/format/envelope.h"
#include "store/format/format.pb.h"
#include "tests/support/damage.h"

namespace cairn {
namespace {

constexpr uint32_t kChunkSize = 64U << 10;
constexpr EntryId kDirectory = 77;

VersionPtr inline_version(const std::string& bytes, uint64_t session = 0) {
  Version version;
  version.published = 10;
  version.mtime = 20;
  version.size_bytes = bytes.size();
  version.host = "host";
  version.session = session;
  version.content = std::make_shared<const Buffer>(Buffer::copy_of(as_bytes(bytes)));
  return std::make_shared<const Version>(std::move(version));
}

VersionPtr listed_version() {
  const ByteView bytes = as_bytes("chunk");
  auto manifest = std::make_shared<const Manifest>(
      100'000, std::vector<ChunkRef>{{.offset = 0, .size = 5, .id = sha256(bytes), .checksum = xxh3_128(bytes)}});
  Version version;
  version.size_bytes = 100'000;
  version.chunks_new = 1;
  version.chunks_shared = 2;
  version.stored_bytes = 3;
  version.hole_bytes = 99'995;
  version.content = std::move(manifest);
  return std::make_shared<const Version>(std::move(version));
}

VersionPtr manifest_version() {
  Version version;
  version.size_bytes = 1ULL << 40;
  version.content = sha256(as_bytes("manifest"));
  return std::make_shared<const Version>(std::move(version));
}

EntryPtr file(EntryId id, std::vector<VersionPtr> versions) {
  Entry entry;
  entry.id = id;
  entry.attributes = {.mode = 0644, .uid = 1, .gid = 2, .mtime = 3, .ctime = 4, .xattrs = {{"user.a", "\xFF"}}};
  entry.versions = std::move(versions);
  return std::make_shared<const Entry>(std::move(entry));
}

Record snapshot(RecordNumber number, DirectoryChanges entries) {
  Record record;
  record.directory = kDirectory;
  record.number = record.snapshot = number;
  record.commit.fill(std::byte{0xC0});
  record.time = 99;
  record.host = "host";
  record.attributes = Attributes{.mode = 0755, .uid = 0, .gid = 0, .mtime = 1, .ctime = 2, .xattrs = {}};
  record.changes = std::move(entries);
  return record;
}

Record delta(RecordNumber number, RecordNumber on, DirectoryChanges changes) {
  Record record = snapshot(number, std::move(changes));
  record.snapshot = on;
  record.attributes.reset();
  return record;
}

DirectoryState state_of(const Record& record) {
  DirectoryState state;
  apply_record(record, state);
  return state;
}

Buffer encoded(const Record& record, const DirectoryState& before = {}) {
  auto object = encode_record(record, before, kChunkSize);
  EXPECT_TRUE(object.has_value());
  return std::move(*object);
}

Result<Record> decoded(const Buffer& object, RecordNumber number, const DirectoryState& before = {}) {
  return decode_record(object.view(), kDirectory, number, before, kChunkSize);
}

void expect_same_version(const Version& a, const Version& b) {
  EXPECT_EQ(std::tie(a.published, a.mtime, a.size_bytes, a.host, a.session, a.chunks_new, a.chunks_shared,
                     a.stored_bytes, a.hole_bytes),
            std::tie(b.published, b.mtime, b.size_bytes, b.host, b.session, b.chunks_new, b.chunks_shared,
                     b.stored_bytes, b.hole_bytes));
  ASSERT_EQ(a.content.index(), b.content.index());
  if (const auto* bytes = std::get_if<SharedBuffer>(&a.content)) {
    EXPECT_EQ(as_text((*bytes)->view()), as_text(std::get<SharedBuffer>(b.content)->view()));
  } else if (const auto* manifest = std::get_if<ManifestPtr>(&a.content)) {
    EXPECT_EQ((*manifest)->chunks(), std::get<ManifestPtr>(b.content)->chunks());
    EXPECT_EQ((*manifest)->size_bytes(), std::get<ManifestPtr>(b.content)->size_bytes());
  } else {
    EXPECT_EQ(std::get<Digest>(a.content), std::get<Digest>(b.content));
  }
}

void expect_same_entry(const Entry& a, const Entry& b) {
  EXPECT_EQ(std::tie(a.id, a.kind, a.attributes, a.target, a.first_version, a.deleted),
            std::tie(b.id, b.kind, b.attributes, b.target, b.first_version, b.deleted));
  ASSERT_EQ(a.versions.size(), b.versions.size());
  for (size_t i = 0; i < a.versions.size(); ++i) expect_same_version(*a.versions[i], *b.versions[i]);
}

TEST(Record, every_kind_carries_the_history_of_its_name) {
  DirectoryChanges before;
  DirectoryChanges after;
  const VersionPtr old = inline_version("old");
  for (const Kind kind : {Kind::directory, Kind::symlink, Kind::fifo, Kind::socket}) {
    const auto id = static_cast<EntryId>(10 + static_cast<int>(kind));
    before[std::to_string(id)] = file(id, {old});
    Entry entry;
    entry.id = id + 10;
    entry.kind = kind;
    entry.versions = {old};
    after[std::to_string(id)] = std::make_shared<const Entry>(entry);
  }
  const DirectoryState state = state_of(snapshot(1, before));
  const auto changed = decoded(encoded(delta(2, 1, after), state), 2, state);
  const auto whole = decoded(encoded(snapshot(3, after)), 3);
  ASSERT_TRUE(changed) << changed.error().to_string();
  ASSERT_TRUE(whole) << whole.error().to_string();
  for (const auto& [name, entry] : after) {
    expect_same_entry(*changed->changes.at(name), *entry);
    expect_same_entry(*whole->changes.at(name), *entry);
    EXPECT_EQ(entry->current(), nullptr) << "it is nobody's content";
    EXPECT_EQ(entry->size_bytes(), 0U);
  }
}

TEST(Record, snapshot_of_every_kind_round_trips) {
  Entry directory;
  directory.id = 5;
  directory.kind = Kind::directory;
  Entry link;
  link.id = 6;
  link.kind = Kind::symlink;
  link.target = "../\xFF not UTF-8";
  Entry fifo;
  fifo.id = 8;
  fifo.kind = Kind::fifo;
  Entry gone = *file(9, {inline_version("old")});
  gone.deleted = -5;
  gone.first_version = 12;
  const Record record = snapshot(
      3, {{"dir", std::make_shared<const Entry>(directory)},
          {"fifo", std::make_shared<const Entry>(fifo)},
          {"file", file(7, {inline_version(""), inline_version("abc", 4), listed_version(), manifest_version()})},
          {"gone", std::make_shared<const Entry>(gone)},
          {"link", std::make_shared<const Entry>(link)}});
  const auto back = decoded(encoded(record), 3);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->commit, record.commit);
  EXPECT_EQ(back->host, "host");
  EXPECT_EQ(back->time, 99);
  EXPECT_EQ(back->attributes, record.attributes);
  ASSERT_EQ(back->changes.size(), record.changes.size());
  for (const auto& [name, entry] : record.changes) expect_same_entry(*back->changes.at(name), *entry);
}

TEST(Record, delta_repeats_no_version_that_was_there_before) {
  const VersionPtr old = inline_version(std::string(4000, 'o'));
  const DirectoryState before = state_of(snapshot(1, {{"model", file(7, {old})}}));
  const Entry next = before.find("model") ? before.find("model")->with_version(inline_version("new", 9), 64) : Entry{};
  const Record record = delta(2, 1, {{"model", std::make_shared<const Entry>(next)}});
  const Buffer object = encoded(record, before);
  EXPECT_LT(object.size(), 300U);
  const auto back = decoded(object, 2, before);
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->changes.at("model")->versions[0], old) << "the Version object itself is shared";
  EXPECT_EQ(back->changes.at("model")->versions.size(), 2U);
}

TEST(Record, rename_over_a_file_refers_to_both_histories) {
  const DirectoryState before = state_of(snapshot(
      1, {{"model", file(7, {listed_version(), listed_version()})}, {"model.tmp", file(8, {manifest_version()})}}));
  const Entry moved = before.find("model.tmp")->over(*before.find("model"), 64);
  const Record record = delta(2, 1, {{"model", std::make_shared<const Entry>(moved)}, {"model.tmp", nullptr}});
  const auto back = decoded(encoded(record, before), 2, before);
  ASSERT_TRUE(back);
  DirectoryState after = before;
  apply_record(*back, after);
  EXPECT_EQ(after.find("model.tmp"), nullptr);
  ASSERT_EQ(after.find("model")->versions.size(), 3U);
  EXPECT_EQ(after.find("model")->versions[0], before.find("model")->versions[0]);
  EXPECT_EQ(after.find("model")->versions[2], before.find("model.tmp")->versions[0]);
}

TEST(Record, version_of_a_name_that_the_delta_leaves_alone_is_written_in_full) {
  const VersionPtr shared = inline_version("content");
  const DirectoryState before = state_of(snapshot(1, {{"a", file(7, {shared})}}));
  const Record record = delta(2, 1, {{"b", file(8, {shared})}});
  const auto back = decoded(encoded(record, before), 2, DirectoryState{});
  ASSERT_TRUE(back) << "it needs nothing of the state before";
  expect_same_version(*back->changes.at("b")->versions[0], *shared);
}

TEST(Record, version_that_two_names_get_is_written_in_full_for_one) {
  const VersionPtr shared = inline_version("content");
  const DirectoryState before = state_of(snapshot(1, {{"a", file(7, {shared})}}));
  const Record record = delta(2, 1, {{"a", file(7, {shared})}, {"b", file(8, {shared})}});
  const auto back = decoded(encoded(record, before), 2, before);
  ASSERT_TRUE(back) << back.error().to_string();
  for (const char* name : {"a", "b"}) expect_same_version(*back->changes.at(name)->versions[0], *shared);
}

TEST(Record, as_many_records_as_nobody_leaves_on_one_snapshot_are_corrupt) {
  for (const auto& [number, on] : std::map<RecordNumber, RecordNumber>{{64, 1}, {1'000'063, 1'000'000}}) {
    EXPECT_EQ(snapshot_of_record(encoded(delta(number, on, {})).view(), kDirectory, number).value(), on);
    EXPECT_TRUE(decoded(encoded(delta(number, on, {})), number));
  }
  for (const auto& [number, on] : std::map<RecordNumber, RecordNumber>{{65, 1}, {uint64_t{1} << 60, 1}}) {
    const Buffer object = encoded(delta(number, on, {}));
    EXPECT_EQ(snapshot_of_record(object.view(), kDirectory, number).error().code(), Errc::corrupt) << number;
    EXPECT_EQ(decoded(object, number).error().code(), Errc::corrupt) << number;
  }
}

TEST(Record, reference_to_what_is_not_there_is_corrupt) {
  const DirectoryState before = state_of(snapshot(1, {{"a", file(7, {inline_version("1"), inline_version("2")})}}));
  const Record record = delta(2, 1, {{"a", std::make_shared<const Entry>(*before.find("a"))}});
  const Buffer object = encoded(record, before);
  EXPECT_TRUE(decoded(object, 2, before));
  EXPECT_EQ(decoded(object, 2, DirectoryState{}).error().code(), Errc::corrupt);
  const DirectoryState shorter = state_of(snapshot(1, {{"a", file(7, {inline_version("1")})}}));
  EXPECT_EQ(decoded(object, 2, shorter).error().code(), Errc::corrupt);
}

TEST(Record, move_with_its_replacement_round_trips) {
  Entry moved = *file(7, {inline_version("x")});
  moved.move = Move{.directory = 5, .name = "old name", .replacement = file(8, {listed_version()})};
  const auto back = decoded(encoded(snapshot(1, {{"new", std::make_shared<const Entry>(moved)}})), 1);
  ASSERT_TRUE(back) << back.error().to_string();
  const auto& move = back->changes.at("new")->move;
  ASSERT_TRUE(move);
  EXPECT_EQ(move->directory, 5U);
  EXPECT_EQ(move->name, "old name");
  expect_same_entry(*move->replacement, *moved.move->replacement);
}

TEST(Record, delta_without_attributes_leaves_them) {
  DirectoryState state = state_of(snapshot(1, {}));
  Record record = delta(2, 1, {});
  record.removed = true;
  const auto back = decoded(encoded(record, state), 2, state);
  ASSERT_TRUE(back);
  apply_record(*back, state);
  EXPECT_EQ(state.attributes.mode, 0755U);
  EXPECT_TRUE(state.removed);
}

TEST(Record, snapshot_forgets_what_it_does_not_list) {
  DirectoryState state = state_of(snapshot(1, {{"a", file(7, {})}, {"b", file(8, {})}}));
  apply_record(snapshot(2, {{"b", file(8, {})}}), state);
  EXPECT_EQ(state.entries.size(), 1U);
}

TEST(Record, under_the_key_of_another_is_corrupt) {
  const Buffer object = encoded(snapshot(3, {}));
  EXPECT_EQ(decoded(object, 4).error().code(), Errc::corrupt);
  EXPECT_EQ(decode_record(object.view(), kDirectory + 1, 3, {}, kChunkSize).error().code(), Errc::corrupt);
  EXPECT_EQ(snapshot_of_record(object.view(), kDirectory, 4).error().code(), Errc::corrupt);
}

TEST(Record, header_tells_its_snapshot_without_the_state_before) {
  EXPECT_EQ(snapshot_of_record(encoded(delta(9, 4, {})).view(), kDirectory, 9).value(), 4U);
  EXPECT_EQ(snapshot_of_record(encoded(snapshot(9, {})).view(), kDirectory, 9).value(), 9U);
}

TEST(Record, damage_is_refused) {
  const Buffer object = encoded(snapshot(1, {{"a", file(7, {inline_version("content"), listed_version()})}}));
  for_each_damage(object.view(), [](ByteView damaged, size_t where) {
    EXPECT_FALSE(decode_record(damaged, kDirectory, 1, {}, kChunkSize)) << where;
    EXPECT_FALSE(snapshot_of_record(damaged, kDirectory, 1)) << where;
  });
}

// Sealed messages that another program might have written.
class ForeignRecord : public testing::Test {
 protected:
  ForeignRecord() {
    message_.set_directory(kDirectory);
    message_.set_number(1);
    message_.set_snapshot(1);
    message_.set_commit(std::string(16, 'c'));
    message_.mutable_attributes()->set_mode(0755);
    format::Change* change = message_.add_changes();
    change->set_name("name");
    entry_ = change->mutable_entry();
    entry_->set_id(7);
    entry_->set_kind(format::KIND_FILE);
    entry_->mutable_attributes();
    entry_->set_first_version(1);
  }

  Result<Record> decode() {
    const std::string bytes = message_.SerializeAsString();
    return decoded(*wrap_envelope(kRecordMagic, as_bytes(bytes)), 1);
  }
  void expect_corrupt(const char* why) {
    const auto record = decode();
    ASSERT_FALSE(record) << why;
    EXPECT_EQ(record.error().code(), Errc::corrupt) << why;
  }

  format::DirectoryRecord message_;
  format::Entry* entry_ = nullptr;
};

TEST_F(ForeignRecord, as_the_grammar_has_it_is_read) { EXPECT_TRUE(decode()); }

TEST_F(ForeignRecord, names_that_no_directory_may_hold_are_corrupt) {
  for (const std::string name : {"", ".", "..", "a/b"}) {
    message_.mutable_changes(0)->set_name(name);
    expect_corrupt(name.c_str());
  }
}

TEST_F(ForeignRecord, names_out_of_order_are_corrupt) {
  *message_.add_changes() = message_.changes(0);
  expect_corrupt("the same name twice");
  message_.mutable_changes(1)->set_name("a");
  expect_corrupt("descending");
}

TEST_F(ForeignRecord, entry_without_kind_id_or_attributes_is_corrupt) {
  entry_->set_kind(format::KIND_NOT_SET);
  expect_corrupt("kind");
  entry_->set_kind(format::KIND_FILE);
  entry_->set_id(0);
  expect_corrupt("id");
  entry_->set_id(7);
  entry_->clear_attributes();
  expect_corrupt("attributes");
}

TEST_F(ForeignRecord, fields_of_another_kind_are_corrupt) {
  entry_->set_target("x");
  expect_corrupt("a file with a target");
  entry_->clear_target();
  entry_->set_kind(format::KIND_DIRECTORY);
  expect_corrupt("a directory with attributes");
}

TEST_F(ForeignRecord, content_of_another_size_is_corrupt) {
  entry_->add_versions()->mutable_content()->set_inline_bytes("abc");
  expect_corrupt("inline");
  entry_->mutable_versions(0)->mutable_content()->mutable_chunks();
  entry_->mutable_versions(0)->set_size(1);
  expect_corrupt("chunks");
  entry_->mutable_versions(0)->mutable_content()->set_manifest("short");
  expect_corrupt("manifest id");
}

TEST_F(ForeignRecord, snapshot_that_refers_outside_itself_is_corrupt) {
  entry_->add_reused()->set_name("name");
  expect_corrupt("reused");
}

TEST_F(ForeignRecord, snapshot_without_attributes_is_corrupt) {
  message_.clear_attributes();
  expect_corrupt("attributes");
}

TEST_F(ForeignRecord, move_within_a_move_is_corrupt) {
  format::Move move;
  move.set_directory(5);
  move.set_name("x");
  *entry_->mutable_move() = move;
  const format::Entry moving = *entry_;
  *entry_->mutable_move()->mutable_replacement() = moving;
  expect_corrupt("nested");
}

TEST_F(ForeignRecord, one_run_named_a_million_times_is_corrupt) {
  const DirectoryState before =
      state_of(snapshot(1, {{"name", file(7, std::vector<VersionPtr>(64, inline_version("x")))}}));
  message_.set_number(2);
  for (int i = 0; i < 2000; ++i) {
    format::HistoryRun* run = entry_->add_reused();
    run->set_name("name");
    run->set_first(1);
    run->set_last(64);
  }
  const std::string bytes = message_.SerializeAsString();
  const auto record = decoded(*wrap_envelope(kRecordMagic, as_bytes(bytes)), 2, before);
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code(), Errc::corrupt);
}

// With each such record a state could have twice the versions of the one before it.
TEST_F(ForeignRecord, versions_of_a_name_that_the_record_leaves_alone_are_not_taken_over) {
  const DirectoryState before = state_of(snapshot(1, {{"other", file(8, {inline_version("x")})}}));
  message_.set_number(2);
  format::HistoryRun* run = entry_->add_reused();
  run->set_name("other");
  run->set_first(1);
  run->set_last(1);
  const std::string bytes = message_.SerializeAsString();
  const auto record = decoded(*wrap_envelope(kRecordMagic, as_bytes(bytes)), 2, before);
  ASSERT_FALSE(record);
  EXPECT_EQ(record.error().code(), Errc::corrupt);
}

TEST_F(ForeignRecord, what_takes_more_memory_than_it_may_is_refused_before_it_does) {
  const std::string nothing = "\x42";  // a change of no bytes: a hundred times that in memory
  std::string bytes = message_.SerializeAsString();
  for (int i = 0; i < 500'000; ++i) bytes += nothing + '\0';
  const Buffer object = *wrap_envelope(kRecordMagic, as_bytes(bytes));
  EXPECT_LT(object.size(), 10'000U);
  for (const uint64_t most_bytes : {uint64_t{100'000}, uint64_t{2 << 20}}) {
    const auto record = decode_record(object.view(), kDirectory, 1, {}, kChunkSize, most_bytes);
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().code(), Errc::no_space) << most_bytes;
  }
  EXPECT_EQ(decode_record(object.view(), kDirectory, 1, {}, kChunkSize, 1 << 30).error().code(), Errc::corrupt);
}

}  // namespace
}  // namespace cairn
