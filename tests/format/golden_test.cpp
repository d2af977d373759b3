// Each example of docs/format.md, written and read. A test that fails here means: existing stores would be read wrong,
// or older versions of CairnFS could not read what this one writes. Change the code, not the example; a change of the
// format raises kFormatVersion and adds examples.
#include <gtest/gtest.h>

#include "store/codec/chunk_codec.h"
#include "store/format/envelope.h"
#include "store/format/keys.h"
#include "store/format/load_profile.h"
#include "store/format/manifest_codec.h"
#include "store/format/record.h"
#include "store/format/store_format.h"
#include "tests/format/golden_examples.h"

namespace cairn {
namespace {

constexpr uint32_t kChunkSize = 64U << 10;
constexpr EntryId kDirectory = 0x1122334455667788;

class Golden : public testing::Test {
 protected:
  static const std::string& example(const std::string& name) {
    static const auto examples = golden_examples(CAIRN_FORMAT_DOCUMENT);
    static const std::string kMissing;
    const auto found = examples.find(name);
    EXPECT_NE(found, examples.end()) << "docs/format.md has no example '" << name << "'";
    return found == examples.end() ? kMissing : found->second;
  }
  // The same message: how well zstd compresses it may differ from version to version of zstd.
  static void expect_sealed(const std::string& name, const Result<Buffer>& object) {
    const auto expected = unwrap_envelope(kRecordMagic, as_bytes(example(name)));
    ASSERT_TRUE(expected) << expected.error().to_string();
    ASSERT_TRUE(object);
    const auto written = unwrap_envelope(kRecordMagic, object->view());
    ASSERT_TRUE(written);
    EXPECT_EQ(to_hex_lines(std::string(as_text(expected->view()))),
              to_hex_lines(std::string(as_text(written->view()))));
  }
  static void expect_written(const std::string& name, ByteView bytes) {
    EXPECT_EQ(to_hex_lines(example(name)), to_hex_lines(std::string(as_text(bytes))));
  }
};

std::string plain_of(std::string_view object, uint32_t size) {
  const auto plain = decode_chunk(Buffer::copy_of(as_bytes(object)), size);
  return plain ? std::string(as_text(plain->view())) : plain.error().to_string();
}

// 3f80, 3f81, … as little-endian 16-bit integers.
std::string integers(uint16_t count) {
  Buffer bytes(2U * count);
  for (uint16_t i = 0; i < count; ++i) store_le(static_cast<uint16_t>(0x3f80 + i), bytes.data() + 2 * i);
  return std::string(as_text(bytes.view()));
}

TEST_F(Golden, store_format) {
  StoreFormat format;
  format.store_id = "00112233445566778899aabbccddeeff";
  EXPECT_EQ(format.to_json(), example("cairn.format"));
  const auto read = StoreFormat::from_json(example("cairn.format"));
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->to_json(), format.to_json());
}

TEST_F(Golden, keys) {
  const std::string text = std::string(keys::kFormat) + "\n" + keys::chunk(sha256(as_bytes("hello"))) + "\n" +
                           keys::manifest(sha256(as_bytes("hello"))) + "\n" + keys::profile(sha256(as_bytes("hello"))) +
                           "\n" + keys::record(kDirectory, 1) + "\n" + keys::record(kDirectory, 258) + "\n";
  EXPECT_EQ(text, example("keys"));
}

TEST_F(Golden, raw_chunk) {
  expect_written("chunk raw", encode_chunk(as_bytes("hello"), 1).view());
  EXPECT_EQ(plain_of(example("chunk raw"), 5), "hello");
}

// What zstd writes may differ from version to version; what it reads may not.
TEST_F(Golden, compressed_chunk) {
  const std::string text(100, 'a');
  EXPECT_EQ(plain_of(example("chunk zstd"), 100), text);
  const Buffer written = encode_chunk(as_bytes(text), 1);
  EXPECT_EQ(as_text(written.view().first(12)), example("chunk zstd").substr(0, 12));
}

TEST_F(Golden, chunk_in_planes) {
  EXPECT_EQ(plain_of(example("chunk planes"), 64), integers(32));
  const Buffer written = encode_chunk(as_bytes(integers(10'000)), 1);
  EXPECT_EQ(static_cast<ChunkEncoding>(written.data()[5]), ChunkEncoding::planes_zstd);
}

// A chunk, a hole, and a last chunk.
Manifest sample_manifest() {
  const auto chunk = [](uint64_t offset, uint32_t size, std::string_view text) {
    return ChunkRef{.offset = offset, .size = size, .id = sha256(as_bytes(text)), .checksum = xxh3_128(as_bytes(text))};
  };
  return {200'005, {chunk(0, 65'536, "first"), chunk(200'000, 5, "hello")}};
}

TEST_F(Golden, manifest) {
  const auto encoded = encode_manifest(sample_manifest(), kChunkSize);
  ASSERT_TRUE(encoded);
  expect_written("manifest", encoded->object.view());
  const auto read = decode_manifest(as_bytes(example("manifest")), encoded->id, kChunkSize);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->chunks(), sample_manifest().chunks());
  EXPECT_EQ(read->size_bytes(), 200'005U);
}

TEST_F(Golden, load_profile) {
  const LoadOrder order{4, 5, 6, 0, 1, 9};
  const auto encoded = encode_load_profile(order);
  ASSERT_TRUE(encoded);
  expect_written("load profile", encoded->view());
  const auto read = decode_load_profile(as_bytes(example("load profile")), 10);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(*read, order);
}

Record sample_record(RecordNumber number) {
  Record record;
  record.directory = kDirectory;
  record.number = number;
  record.snapshot = 1;
  for (size_t i = 0; i < record.commit.size(); ++i) record.commit[i] = static_cast<std::byte>(i * 17);
  record.time = 1'700'000'000'000'000'000;
  record.host = "gpu7";
  return record;
}

Attributes sample_attributes(uint32_t mode) {
  return {.mode = mode, .uid = 1000, .gid = 100, .mtime = 5, .ctime = 6, .xattrs = {}};
}

VersionPtr sample_version(const std::string& bytes) {
  Version version;
  version.published = 7;
  version.mtime = 8;
  version.size_bytes = bytes.size();
  version.host = "gpu7";
  version.session = 9;
  version.content = std::make_shared<const Buffer>(Buffer::copy_of(as_bytes(bytes)));
  return std::make_shared<const Version>(std::move(version));
}

// The first record of a directory: one file with one small version, one link.
Record sample_snapshot() {
  Record record = sample_record(1);
  record.attributes = sample_attributes(0755);
  Entry file;
  file.id = 0xf1;
  file.attributes = sample_attributes(0644);
  file.attributes.xattrs = {{"user.a", "b"}};
  file.versions = {sample_version("hi")};
  Entry link;
  link.id = 0xf2;
  link.kind = Kind::symlink;
  link.attributes = sample_attributes(0777);
  link.target = "model.tmp";
  record.changes = {{"latest", std::make_shared<const Entry>(link)},
                    {"model.tmp", std::make_shared<const Entry>(file)}};
  return record;
}

// model.tmp has become model, with a second version; the link was unlinked for good; a subdirectory came here from
// another directory.
Record sample_delta(const DirectoryState& before) {
  Record record = sample_record(2);
  Entry renamed = *before.find("model.tmp");
  renamed.versions = {before.find("model.tmp")->versions[0], sample_version("hello")};
  Entry moved;
  moved.id = 0xd1;
  moved.kind = Kind::directory;
  moved.move = Move{.directory = 1, .name = "old", .replacement = nullptr};
  record.changes = {{"latest", nullptr},
                    {"model", std::make_shared<const Entry>(renamed)},
                    {"model.tmp", nullptr},
                    {"run", std::make_shared<const Entry>(moved)}};
  return record;
}

TEST_F(Golden, snapshot_record) {
  const Record record = sample_snapshot();
  expect_sealed("record snapshot", encode_record(record, {}, kChunkSize));
  const auto read = decode_record(as_bytes(example("record snapshot")), kDirectory, 1, {}, kChunkSize);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->commit, record.commit);
  EXPECT_EQ(read->attributes, record.attributes);
  EXPECT_EQ(read->changes.at("latest")->target, "model.tmp");
  EXPECT_EQ(read->changes.at("model.tmp")->attributes, sample_snapshot().changes.at("model.tmp")->attributes);
  EXPECT_EQ(read->changes.at("model.tmp")->current()->session, 9U);
}

TEST_F(Golden, delta_record) {
  DirectoryState before;
  apply_record(sample_snapshot(), before);
  expect_sealed("record delta", encode_record(sample_delta(before), before, kChunkSize));
  const auto read = decode_record(as_bytes(example("record delta")), kDirectory, 2, before, kChunkSize);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->changes.at("latest"), nullptr);
  EXPECT_EQ(read->changes.at("model")->versions[0], before.find("model.tmp")->versions[0]);
  EXPECT_EQ(read->changes.at("model")->current()->size_bytes, 5U);
  EXPECT_EQ(read->changes.at("run")->move->name, "old");
  EXPECT_EQ(snapshot_of_record(as_bytes(example("record delta")), kDirectory, 2).value(), 1U);
}

}  // namespace
}  // namespace cairn
