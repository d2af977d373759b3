// A store that a check looks at, built record by record.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "remote/memory_object_store.h"
#include "store/check/check.h"
#include "store/codec/chunk_codec.h"
#include "store/format/keys.h"
#include "store/format/manifest_codec.h"
#include "store/format/record.h"
#include "tests/support/test_environment.h"

namespace cairn {

inline constexpr uint32_t kChunkSize = 64U << 10;
inline constexpr EntryId kModels = 0xd1;
inline constexpr EntryId kNested = 0xd2;
inline constexpr EntryId kWeights = 0xf1;
inline constexpr EntryId kSmall = 0xf2;

// A store built record by record: /models/weights (two chunks in a manifest object), /models/nested/small (one chunk in
// the entry), and what each test adds or breaks.
class CheckTest : public testing::Test {
 protected:
  CheckTest() {
    Attributes attributes{.mode = 0755, .uid = 0, .gid = 0, .mtime = 0, .ctime = 0, .xattrs = {}};
    FakeClock clock;
    SeededRandom random(1);
    StoreFormat format;
    format.chunk_size = kChunkSize;
    EXPECT_TRUE(init_store(objects_, format, clock, random, test_context()));
    weights_ = manifest_of({put_chunk(noise(kChunkSize, 1), 0), put_chunk(noise(1000, 2), kChunkSize)});
    small_ = manifest_of({put_chunk(noise(5000, 3), 0)});
    const auto encoded = encode_manifest(*weights_, kChunkSize);
    manifest_id_ = encoded->id;
    put(keys::manifest(manifest_id_), encoded->object.view());
    put_directory(kNested, {{"small", file(kSmall, {version(small_)})}});
    put_directory(kModels, {{"nested", directory(kNested)}, {"weights", file(kWeights, {version(manifest_id_)})}});
    change(kRootId, {{"models", directory(kModels)}});
  }

  static Buffer noise(size_t size, uint64_t seed) { return random_bytes(size, seed); }
  static ManifestPtr manifest_of(std::vector<ChunkRef> chunks) {
    const uint64_t size = chunks.back().end();
    return std::make_shared<const Manifest>(size, std::move(chunks));
  }
  static EntryPtr directory(EntryId id) {
    Entry entry;
    entry.id = id;
    entry.kind = Kind::directory;
    return std::make_shared<const Entry>(std::move(entry));
  }
  static EntryPtr file(EntryId id, std::vector<VersionPtr> versions) {
    Entry entry;
    entry.id = id;
    entry.versions = std::move(versions);
    return std::make_shared<const Entry>(std::move(entry));
  }
  [[nodiscard]] VersionPtr version(Content content) const {
    Version version;
    version.size_bytes =
        std::holds_alternative<Digest>(content) ? weights_->size_bytes() : std::get<ManifestPtr>(content)->size_bytes();
    version.content = std::move(content);
    return std::make_shared<const Version>(std::move(version));
  }

  void put(const std::string& key, ByteView bytes) {
    ASSERT_TRUE(objects_.put_if_absent(key, bytes, test_context())) << key;
  }
  void remove(const std::string& key) { ASSERT_TRUE(objects_.remove({key}, test_context())); }
  Buffer get(const std::string& key) { return std::move(*objects_.get(key, {}, test_context())); }
  // Overwrites as no client of ours would.
  void replace(const std::string& key, ByteView bytes) {
    remove(key);
    put(key, bytes);
  }
  void truncate(const std::string& key) {
    const Buffer object = get(key);
    replace(key, object.view().first(object.size() - 7));
  }
  void flip_last_byte(const std::string& key) {
    Buffer object = get(key);
    object.data()[object.size() - 1] ^= std::byte{1};
    replace(key, object.view());
  }

  ChunkRef put_chunk(const Buffer& plain, uint64_t offset) {
    const ChunkRef chunk{offset, static_cast<uint32_t>(plain.size()), sha256(plain.view()), xxh3_128(plain.view())};
    put(keys::chunk(chunk.id), encode_chunk(plain.view(), 1).view());
    return chunk;
  }

  void put_record(EntryId id, RecordNumber number, RecordNumber snapshot, DirectoryChanges changes,
                  bool removed = false) {
    Record record;
    record.directory = id;
    record.number = number;
    record.snapshot = snapshot;
    record.attributes = Attributes{};
    record.changes = std::move(changes);
    record.removed = removed;
    put(keys::record(id, number), encode_record(record, DirectoryState{}, kChunkSize)->view());
  }
  void put_directory(EntryId id, DirectoryChanges entries) { put_record(id, 1, 1, std::move(entries)); }
  // The next record of a directory whose snapshot is its first.
  void change(EntryId id, DirectoryChanges changes) {
    RecordNumber number = 1;
    while (objects_.head(keys::record(id, number), test_context())) ++number;
    put_record(id, number, 1, std::move(changes));
  }

  CheckReport check(bool read_data = false) { return check(objects_, read_data); }
  static CheckReport check(ObjectStore& objects, bool read_data) {
    auto report = check_store(objects, {.read_data = read_data, .progress = {}}, test_context());
    EXPECT_TRUE(report.has_value());
    return report ? std::move(*report) : CheckReport{};
  }
  // Exactly one finding, about this object and path.
  static void expect_finding(const CheckReport& report, bool loss, const std::string& object, const std::string& path) {
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_EQ(report.findings[0].loss, loss);
    EXPECT_THAT(report.findings[0].object, testing::StartsWith(object));
    EXPECT_EQ(report.findings[0].path, path);
    EXPECT_FALSE(report.findings[0].message.empty());
  }

  MemoryObjectStore objects_;
  ManifestPtr weights_, small_;
  Digest manifest_id_;
};

}  // namespace cairn
