#include "tests/fuzz/targets.h"

#include <algorithm>

#include "base/check.h"
#include "store/codec/byte_planes.h"
#include "store/codec/chunk_codec.h"
#include "store/format/envelope.h"
#include "store/format/format.pb.h"
#include "store/format/keys.h"
#include "store/format/load_profile.h"
#include "store/format/manifest_codec.h"
#include "store/format/record.h"
#include "store/format/store_format.h"
#include "store/segments/segment_plan.h"
#include "tests/fuzz/store_targets.h"
#include "tests/support/containers.h"

namespace cairn::fuzz {

namespace {

constexpr uint32_t kChunkSize = 64U << 10;
constexpr uint32_t kTinyChunkSize = 256;  // so that small containers have tensors worth a segment
constexpr EntryId kDirectory = 7;
constexpr RecordNumber kNumber = 2;

std::string text_of(const Buffer& bytes) { return std::string(as_text(bytes.view())); }

// An envelope around whatever the fuzzer makes of a message.
Buffer sealed(const Magic& magic, ByteView message) { return std::move(*wrap_envelope(magic, message)); }

void envelope(ByteView bytes) {
  const auto message = unwrap_envelope(kRecordMagic, bytes);
  if (!message) return;
  const auto again = unwrap_envelope(kRecordMagic, sealed(kRecordMagic, message->view()).view());
  check(again && as_text(again->view()) == as_text(message->view()), "a message survives being sealed again");
}

std::vector<std::string> envelope_seeds() {
  return {text_of(sealed(kRecordMagic, as_bytes("short"))),
          text_of(sealed(kRecordMagic, as_bytes(std::string(1000, 'x'))))};
}

// What a delta may refer to.
DirectoryState state_before() {
  Version version;
  version.size_bytes = 2;
  version.content = std::make_shared<const Buffer>(Buffer::copy_of(as_bytes("hi")));
  Entry entry;
  entry.id = 9;
  entry.versions = {3, std::make_shared<const Version>(version)};
  DirectoryState state;
  state.entries.emplace("a", std::make_shared<const Entry>(entry));
  return state;
}

void record(ByteView bytes) {
  (void)decode_record(bytes, kDirectory, kNumber, {}, kChunkSize);
  const DirectoryState before = state_before();
  const Buffer object = sealed(kRecordMagic, bytes);
  (void)snapshot_of_record(object.view(), kDirectory, kNumber);
  const auto decoded = decode_record(object.view(), kDirectory, kNumber, before, kChunkSize);
  if (!decoded) return;
  DirectoryState after = before;
  apply_record(*decoded, after);
  const auto encoded = encode_record(*decoded, before, kChunkSize);
  check(encoded && decode_record(encoded->view(), kDirectory, kNumber, before, kChunkSize),
        "what was read can be written and read");
  check(snapshot_of_record(encoded->view(), kDirectory, kNumber) == decoded->snapshot, "the header comes first");
}

std::vector<std::string> record_seeds() {
  const DirectoryState before = state_before();
  Record delta;
  delta.directory = kDirectory;
  delta.number = kNumber;
  delta.snapshot = 1;
  Entry moved = *before.entries.at("a");
  moved.move = Move{.directory = 1, .name = "old", .replacement = before.entries.at("a")};
  delta.changes = {{"a", nullptr}, {"b", std::make_shared<const Entry>(moved)}};
  Record snapshot = delta;
  snapshot.snapshot = kNumber;
  snapshot.attributes =
      Attributes{.mode = 0755, .uid = 1, .gid = 1, .mtime = 1, .ctime = 1, .xattrs = {{"user.x", "y"}}};
  snapshot.changes.erase("a");
  const auto message_of = [&](const Record& one) {
    return text_of(*unwrap_envelope(kRecordMagic, encode_record(one, before, kChunkSize)->view()));
  };
  return {message_of(delta), message_of(snapshot)};
}

void manifest(ByteView bytes) {
  (void)decode_manifest(bytes, sha256(bytes), kChunkSize);
  const auto decoded = decode_manifest(sealed(kManifestMagic, bytes).view(), sha256(bytes), kChunkSize);
  if (!decoded) return;
  const Manifest copy(decoded->size_bytes(), decoded->chunks());  // aborts on chunks out of order
  const auto encoded = encode_manifest(copy, kChunkSize);
  const auto again = decode_manifest(encoded->object.view(), encoded->id, kChunkSize);
  check(again && again->chunks() == decoded->chunks(), "a chunk list survives being written again");
}

std::vector<std::string> manifest_seeds() {
  const auto chunk = [](uint64_t offset, uint32_t size) { return ChunkRef{offset, size, {}, {}}; };
  const Manifest list(400'000, {chunk(0, kChunkSize), chunk(kChunkSize, 5), chunk(300'000, kChunkSize)});
  return {write_manifest(list, kChunkSize).SerializeAsString(),
          write_manifest(Manifest(1ULL << 40, {}), kChunkSize).SerializeAsString()};
}

// The first two bytes say how many chunks the version has.
void load_profile(ByteView bytes) {
  if (bytes.size() < 2) return;
  const size_t chunks = load_le<uint16_t>(bytes.data());
  (void)decode_load_profile(bytes.subspan(2), chunks);
  const auto order = decode_load_profile(sealed(kProfileMagic, bytes.subspan(2)).view(), chunks);
  if (!order) return;
  check(order->size() <= chunks, "no chunk comes twice");
  check(decode_load_profile(encode_load_profile(*order)->view(), chunks).value() == *order,
        "an order survives being written again");
}

std::vector<std::string> load_profile_seeds() {
  std::byte chunks[2];
  store_le(uint16_t{300}, chunks);
  std::vector<std::string> seeds;
  for (const LoadOrder& order : {LoadOrder{}, LoadOrder{4, 5, 6, 0, 1, 299}}) {
    const Buffer object = *encode_load_profile(order);
    seeds.push_back(std::string(as_text(chunks)) + text_of(*unwrap_envelope(kProfileMagic, object.view())));
  }
  return seeds;
}

// The first two bytes say which size the manifest would expect.
void chunk(ByteView bytes) {
  if (bytes.size() < 2) return;
  const uint32_t expected = load_le<uint16_t>(bytes.data());
  const auto plain = decode_chunk(Buffer::copy_of(bytes.subspan(2)), expected);
  check(!plain || plain->size() == expected, "a decoded chunk has the size that was asked for");
  if (!plain || plain->empty()) return;
  const auto again = decode_chunk(encode_chunk(plain->view(), 1), expected);
  check(again && as_text(again->view()) == as_text(plain->view()), "a chunk survives being encoded again");
}

std::vector<std::string> chunk_seeds() {
  std::vector<std::string> seeds;
  std::string floats;
  for (uint32_t i = 0; i < 1000; ++i) {
    std::byte bytes[4];
    store_le(0x3F000000U + i * i * 2654435761U % 0x00800000U, bytes);
    floats += as_text(bytes);
  }
  for (const std::string& plain : {std::string("hello"), std::string(500, 'a'), floats}) {
    std::byte size[2];
    store_le(static_cast<uint16_t>(plain.size()), size);
    seeds.push_back(std::string(as_text(size)) + text_of(encode_chunk(as_bytes(plain), 1)));
  }
  return seeds;
}

void store_format(ByteView bytes) {
  const auto format = StoreFormat::from_json(as_text(bytes));
  if (!format) return;
  check(StoreFormat::from_json(format->to_json()).has_value(), "a store's format survives being written again");
}

std::vector<std::string> store_format_seeds() {
  StoreFormat format;
  format.store_id = std::string(32, '7');
  return {format.to_json(), R"({"format":2})"};
}

void key(ByteView bytes) {
  const std::string text(as_text(bytes));
  Digest digest;
  EntryId id = 0;
  RecordNumber number = 0;
  if (keys::parse_chunk(text, &digest)) check(keys::chunk(digest) == text, "a chunk has one key");
  if (keys::parse_manifest(text, &digest)) check(keys::manifest(digest) == text, "a manifest has one key");
  if (keys::parse_record(text, &id, &number)) check(keys::record(id, number) == text, "a record has one key");
}

std::vector<std::string> key_seeds() {
  return {keys::chunk(sha256({})), keys::manifest(sha256({})), keys::record(kDirectory, kNumber)};
}

Result<size_t> read_prefix(ByteView file, uint64_t offset, MutableByteView out) {
  if (offset >= file.size()) return 0;
  const ByteView bytes = file.subspan(offset, std::min(out.size(), file.size() - offset));
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return bytes.size();
}

// Plans the bytes at once and in growing pieces: the cuts cover the file, and settled ones stay.
void plan(ByteView file) {
  const auto source_of = [](ByteView prefix) {
    return PlanSource{
        .read = [prefix](uint64_t offset, MutableByteView out) { return read_prefix(prefix, offset, out); }};
  };
  const SegmentPlan whole = *plan_segments(source_of(file), file.size(), true, kTinyChunkSize);
  const auto chunks = plan_chunks(whole, file.size(), kTinyChunkSize);
  uint64_t end = 0;
  for (const PlannedChunk& one : chunks) {
    check(one.offset == end && one.size > 0 && one.size <= kTinyChunkSize, "chunks lie side by side");
    end += one.size;
  }
  check(end == file.size(), "chunks cover the file");

  SegmentPlanner planner(kTinyChunkSize);
  const size_t step = file.size() / 7 + 1;
  for (size_t size = 0; size <= file.size(); size += step) {
    const SegmentPlan part = *planner.plan(source_of(file.first(size)), size, false);
    check(part.settled_bytes <= size, "only what is there is settled");
    const auto settled = plan_chunks(part, part.settled_bytes, kTinyChunkSize);
    check(settled.size() <= chunks.size() && std::equal(settled.begin(), settled.end(), chunks.begin()),
          "settled cuts stay as they are");
  }
  check(*planner.plan(source_of(file), file.size(), true) == whole, "looking early changes nothing");
}

std::vector<containers::Tensor> sample_tensors() {
  return {{"a", std::string(700, 'a')}, {"b", std::string(20, 'b')}, {"c", std::string(300, 'c')}};
}

// The planner, on files that keep the magic of their container whatever the fuzzer does.
template <size_t kMagicBytes>
void plan_with_magic(std::string_view magic, ByteView bytes) {
  std::string file(as_text(bytes));
  file.replace(0, std::min(file.size(), kMagicBytes), magic);
  plan(as_bytes(file));
}

void safetensors(ByteView bytes) { plan(bytes); }
void gguf(ByteView bytes) { plan_with_magic<4>("GGUF", bytes); }
void npy(ByteView bytes) { plan_with_magic<6>("\x93NUMPY", bytes); }
void zip(ByteView bytes) { plan_with_magic<4>("PK\x03\x04", bytes); }

std::vector<std::string> safetensors_seeds() { return {containers::safetensors(sample_tensors())}; }
std::vector<std::string> gguf_seeds() { return {containers::gguf(sample_tensors())}; }
std::vector<std::string> npy_seeds() { return {containers::npy(std::string(1000, 'n'))}; }
std::vector<std::string> zip_seeds() {
  return {containers::torch_zip("archive", sample_tensors()), containers::npz(sample_tensors()),
          containers::unfinished_npz(sample_tensors())};
}

void byte_planes(ByteView bytes) {
  for (const size_t width : {2U, 4U, 8U}) {
    Buffer planes(bytes.size()), joined(bytes.size());
    split_planes(bytes, width, planes.mutable_view());
    join_planes(planes.view(), width, joined.mutable_view());
    check(as_text(joined.view()) == as_text(bytes), "planes join to what was split");
  }
}

std::vector<std::string> byte_planes_seeds() { return {"", "12345678", std::string(300, 'p')}; }

constexpr size_t kStoreMutations = 40;  // each is a mount

constexpr Target kTargets[] = {
    {"envelope", envelope, envelope_seeds},
    {"record", record, record_seeds},
    {"manifest", manifest, manifest_seeds},
    {"load_profile", load_profile, load_profile_seeds},
    {"chunk", chunk, chunk_seeds},
    {"byte_planes", byte_planes, byte_planes_seeds},
    {"store_format", store_format, store_format_seeds},
    {"key", key, key_seeds},
    {"safetensors", safetensors, safetensors_seeds},
    {"gguf", gguf, gguf_seeds},
    {"npy", npy, npy_seeds},
    {"zip", zip, zip_seeds},
    {"forged_tree", forged_tree, forged_seeds, kStoreMutations},
    {"forged_files", forged_files, forged_seeds, kStoreMutations},
    {"forged_check", forged_check, forged_seeds, kStoreMutations},
};

}  // namespace

std::span<const Target> targets() { return kTargets; }

}  // namespace cairn::fuzz
