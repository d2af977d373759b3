#include "tests/fuzz/forged_store.h"

#include <array>
#include <limits>

#include "store/codec/chunk_codec.h"
#include "store/format/envelope.h"
#include "store/format/keys.h"
#include "store/format/store_format.h"
#include "tests/support/test_environment.h"

namespace cairn::fuzz {

namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();
constexpr size_t kNames = 6;
constexpr uint64_t kDirectories = 8;
constexpr size_t kManifests = 3;

// A chunk as it should be.
struct HonestChunk {
  explicit HonestChunk(size_t index);
  Buffer plain{};
  Buffer object{};
  std::string id{};
  std::string checksum{};
};

HonestChunk::HonestChunk(size_t index) {
  constexpr std::array<uint32_t, StoreForger::kChunks> kSizes = {
      StoreForger::kChunkSize, StoreForger::kChunkSize, 5000, 1, StoreForger::kChunkSize, 4097};
  plain = random_bytes(kSizes[index], index);
  for (size_t i = 0; index % 2 == 1 && i < plain.size(); ++i) plain.data()[i] = static_cast<std::byte>(i / 4 % 7);
  object = encode_chunk(plain.view(), 1);
  id = as_text(sha256(plain.view()).bytes);
  checksum = as_text(xxh3_128(plain.view()).bytes);
}

const HonestChunk& honest_chunk(size_t index) {
  static const std::array<HonestChunk, StoreForger::kChunks> chunks{HonestChunk(0), HonestChunk(1), HonestChunk(2),
                                                                    HonestChunk(3), HonestChunk(4), HonestChunk(5)};
  return chunks[index % chunks.size()];
}

int64_t as_time(uint64_t number) { return static_cast<int64_t>(number); }

}  // namespace

uint8_t Tape::byte() {
  if (bytes_.empty()) return 0;
  const auto value = std::to_integer<uint8_t>(bytes_.front());
  bytes_ = bytes_.subspan(1);
  return value;
}

uint64_t Tape::number() {
  const uint8_t kind = byte();
  if (kind < 128) return kind % 16;
  constexpr std::array<uint64_t, 16> kEdges = {
      63,          64,         65,         4096,       65'535,     65'536,           65'537,    1U << 20,
      kMost >> 33, 1ULL << 32, 1ULL << 40, 1ULL << 62, kMost >> 1, (kMost >> 1) + 1, kMost - 1, kMost};
  return kEdges[kind % kEdges.size()];
}

ByteView StoreForger::chunk_bytes(size_t index) { return honest_chunk(index).plain.view(); }

std::string StoreForger::name(size_t index) {
  constexpr std::array<const char*, kNames> kTexts = {
      "a", "a.~moved-0000000000000003", "b", "b.~left-0000000000000002", "c", "d"};  // in the order that records have
  return kTexts[index % kNames];
}

void StoreForger::put(const std::string& key, ByteView bytes) {
  (void)objects_.put_if_absent(key, bytes, test_context());
}

void StoreForger::put_format() {
  StoreFormat format;
  format.store_id = std::string(32, '7');
  format.chunk_size = kChunkSize;
  format.keep_versions = 4;
  put(keys::kFormat, as_bytes(format.to_json()));
}

void StoreForger::forge_tree() {
  put_format();
  put_manifests();
  const size_t directories = 1 + tape_.below(kDirectories);
  for (uint64_t id = 1; id <= directories; ++id) put_directory(id);
  put_chunks();
}

void StoreForger::forge_files() {
  put_format();
  put_manifests();
  format::DirectoryRecord root;
  root.set_directory(1);
  root.set_number(1);
  root.set_snapshot(1);
  for (size_t i = 0; i < 4; ++i) {
    format::Change* change = root.add_changes();
    change->set_name(name(i));
    format::Entry* entry = change->mutable_entry();
    entry->set_id(100 + i);
    entry->set_kind(format::KIND_FILE);
    entry->mutable_attributes()->set_mode(0644);
    entry->set_first_version(1);
    fill_versions(entry);
    if (entry->versions_size() == 0) fill_content(entry->add_versions());
  }
  root.mutable_attributes()->set_mode(0755);
  put_record(1, 1, 1, root);
  put_chunks();
}

uint64_t StoreForger::directory_id() { return tape_.one_in(16) ? tape_.number() : 1 + tape_.below(kDirectories); }

// Large ones give way to every honest attempt. One that is smaller than all of those holds up a rename that meets it
// until the caller's time is over, as the announcement of a host that is at it would: no fault, and no input to wait
// for.
uint64_t StoreForger::attempt() {
  const uint64_t which = tape_.below(3);
  return which == 0 ? 0 : kMost - which;
}

// A few records, most of them where they should be.
void StoreForger::put_directory(uint64_t id) {
  const uint64_t first = tape_.one_in(3) ? tape_.number() : 1;
  uint64_t snapshot = first;
  const size_t records = 1 + tape_.below(4);
  for (size_t i = 0; i < records; ++i) {
    const uint64_t number = first + i;
    if (tape_.one_in(5)) snapshot = number;
    if (tape_.one_in(16)) continue;
    const uint64_t said = tape_.one_in(8) ? tape_.any_of({uint64_t{1}, first, tape_.number()}) : snapshot;
    format::DirectoryRecord record;
    if (said == number || tape_.one_in(4)) fill_attributes(record.mutable_attributes());
    fill_changes(&record, said == number);
    record.set_removed(tape_.one_in(24));
    put_record(id, number, said, record);
  }
}

void StoreForger::put_record(uint64_t id, uint64_t number, uint64_t snapshot, const format::DirectoryRecord& record) {
  format::DirectoryRecord whole = record;
  whole.set_directory(tape_.one_in(32) ? directory_id() : id);
  whole.set_number(tape_.one_in(32) ? tape_.number() : number);
  whole.set_snapshot(snapshot);
  whole.set_commit(std::string(16, static_cast<char>(id)));
  whole.set_time_ns(as_time(tape_.number()));
  whole.set_host("forger");
  const auto object = wrap_envelope(kRecordMagic, as_bytes(whole.SerializeAsString()));
  put(keys::record(id, number), object->view());
}

// A snapshot has no names that go, and no versions of a state before it.
void StoreForger::fill_changes(format::DirectoryRecord* record, bool is_snapshot) {
  for (size_t i = 0; i < kNames; ++i) {
    const size_t what = tape_.below(4);
    if (what == 0 || (what == 1 && is_snapshot && !tape_.one_in(32))) continue;
    format::Change* change = record->add_changes();
    change->set_name(name(i));
    if (what > 1) fill_entry(change->mutable_entry(), is_snapshot ? Within::snapshot : Within::delta);
  }
}

void StoreForger::fill_entry(format::Entry* entry, Within within) {
  entry->set_id(tape_.one_in(8) ? 100 + tape_.below(4) : directory_id());
  const std::initializer_list<format::Kind> kinds = {format::KIND_DIRECTORY, format::KIND_FILE, format::KIND_DIRECTORY,
                                                     format::KIND_SYMLINK,   format::KIND_FIFO, format::KIND_SOCKET,
                                                     format::KIND_FILE,      format::KIND_FILE};
  entry->set_kind(tape_.any_of(kinds));
  if ((entry->kind() == format::KIND_DIRECTORY) == tape_.one_in(64)) fill_attributes(entry->mutable_attributes());
  if (entry->kind() == format::KIND_SYMLINK) entry->set_target(name(tape_.below(kNames)));
  entry->set_first_version(tape_.one_in(12) ? tape_.number() : 1);
  if (within == Within::delta) fill_history(entry);
  if (entry->kind() == format::KIND_FILE || tape_.one_in(8)) fill_versions(entry);
  if (tape_.one_in(8)) entry->set_deleted_ns(as_time(tape_.number()));
  if (tape_.one_in(4) && (within != Within::move || tape_.one_in(32))) {
    format::Move* move = entry->mutable_move();
    move->set_directory(directory_id());
    move->set_name(name(tape_.below(kNames)));
    move->set_attempt(attempt());
    if (tape_.one_in(2)) fill_entry(move->mutable_replacement(), Within::move);
  }
  if (tape_.one_in(4)) {
    format::Leaving* leaving = entry->mutable_leaving();
    leaving->set_attempt(attempt());
    leaving->set_directory(leaving->attempt() == 0 ? 0 : directory_id());
    leaving->set_called_off(leaving->attempt() == 0 || tape_.one_in(3));
  }
}

void StoreForger::fill_history(format::Entry* entry) {
  for (size_t i = tape_.one_in(6) ? 1 + tape_.below(3) : 0; i > 0; --i) {
    format::HistoryRun* run = entry->add_reused();
    run->set_name(name(tape_.below(kNames)));
    run->set_first(tape_.one_in(6) ? tape_.number() : 1);
    run->set_last(tape_.one_in(6) ? tape_.number() : 1);
  }
}

void StoreForger::fill_attributes(format::Attributes* attributes) {
  attributes->set_mode(tape_.one_in(64) ? static_cast<uint32_t>(tape_.number()) : 0755);
  attributes->set_uid(tape_.one_in(8) ? static_cast<uint32_t>(tape_.number()) : 0);
  attributes->set_mtime_ns(as_time(tape_.number()));
  if (!tape_.one_in(16)) return;
  format::Xattr* xattr = attributes->add_xattrs();
  xattr->set_name("user.x");
  xattr->set_value(std::string(tape_.number() % (1U << 17), 'x'));
}

void StoreForger::fill_versions(format::Entry* entry) {
  const size_t count = tape_.one_in(200) ? 5'000 : tape_.below(4);
  for (size_t i = 0; i < count; ++i) {
    format::Version* version = entry->add_versions();
    if (i < 8) fill_content(version);
  }
}

void StoreForger::fill_content(format::Version* version) {
  version->set_session(tape_.below(3));
  uint64_t size = 0;
  switch (tape_.below(4)) {
    case 0: {
      const size_t bytes = tape_.one_in(100) ? 100'000 : tape_.below(64);
      version->mutable_content()->set_inline_bytes(std::string(bytes, 'i'));
      size = bytes;
      break;
    }
    case 1:
      fill_manifest(version->mutable_content()->mutable_chunks());
      for (const format::Segment& segment : version->content().chunks().segments()) size += segment.length();
      break;
    case 2: {
      const auto& [id, bytes] = manifests_[tape_.below(manifests_.size())];
      version->mutable_content()->set_manifest(std::string(as_text(id.bytes)));
      size = bytes;
      break;
    }
    default: break;
  }
  version->set_size(tape_.one_in(60) ? tape_.number() : size);
  version->set_hole_bytes(tape_.one_in(30) ? tape_.number() : 0);
  version->set_published_ns(as_time(tape_.number()));
}

void StoreForger::fill_manifest(format::Manifest* manifest) {
  for (size_t i = tape_.below(5); i > 0; --i) {
    format::Segment* segment = manifest->add_segments();
    if (tape_.one_in(3)) {
      segment->set_hole(true);
      segment->set_length(std::max<uint64_t>(1, tape_.number()));
      continue;
    }
    const HonestChunk& chunk = honest_chunk(tape_.below(kChunks));
    segment->set_length(tape_.one_in(60) ? tape_.number() : chunk.plain.size());
    segment->set_ids(chunk.id);
    segment->set_checksums(tape_.one_in(8) ? honest_chunk(0).checksum : chunk.checksum);
  }
}

// One has another's key: that a message has the digest which is its key, a forger can see to, but need not.
void StoreForger::put_manifests() {
  for (size_t i = 0; i < kManifests; ++i) {
    format::Manifest manifest;
    fill_manifest(&manifest);
    uint64_t size = 0;
    for (const format::Segment& segment : manifest.segments()) size += segment.length();
    const std::string message = manifest.SerializeAsString();
    const Digest id = sha256(as_bytes(tape_.one_in(8) ? "another" : message));
    const auto object = wrap_envelope(tape_.one_in(16) ? kRecordMagic : kManifestMagic, as_bytes(message));
    put(keys::manifest(id), object->view());
    manifests_.emplace_back(id, size);
  }
}

void StoreForger::put_chunks() {
  for (size_t i = 0; i < kChunks; ++i) {
    const HonestChunk& honest = honest_chunk(i);
    Buffer object = Buffer::copy_of(honest.object.view());
    const uint8_t how = tape_.byte();
    if (how % 8 == 7) continue;
    if (how % 8 == 6) object = Buffer::copy_of(honest_chunk(i + 1).object.view());
    if (how % 8 == 5) object.data()[tape_.byte() % std::min<size_t>(object.size(), 32)] ^= std::byte{tape_.byte()};
    if (how % 8 == 4) object.shrink_to(object.size() - std::min<size_t>(object.size(), tape_.byte()));
    if (how % 8 == 3) object = Buffer(1U << 20);
    if (how % 8 == 2) store_le<uint32_t>(static_cast<uint32_t>(tape_.number()), object.data() + 8);
    put(keys::chunk(sha256(honest.plain.view())), object.view());
  }
}

}  // namespace cairn::fuzz
