#include "store/chunks/put_whole.h"

#include "remote/directory/directory_object_store.h"
#include "store/chunks/manifest_objects.h"
#include "store/format/manifest_codec.h"
#include "tests/unit/store/drafts/draft_fixture.h"

namespace cairn {
namespace {

using DamagedStoreTest = DraftTest;

// The object under `key` is `object` now, whatever it was.
void plant(ObjectStore& objects, const std::string& key, ByteView object) {
  ASSERT_TRUE(objects.remove({key}, test_context()));
  ASSERT_TRUE(objects.put_if_absent(key, object, test_context()));
}

void damage(ObjectStore& objects, const std::string& key) {
  Buffer object = objects.get(key, {}, test_context()).value();
  object.data()[object.size() / 2] ^= std::byte{0x10};
  plant(objects, key, object.view());
}

TEST_F(DamagedStoreTest, a_chunk_that_was_found_damaged_heals_when_it_is_saved_again) {
  const Buffer bytes = random_bytes(3 * kChunk, 1);
  const VersionPtr version = put_file(store_, bytes.view());
  const ChunkRef victim = std::get<ManifestPtr>(version->content)->chunks()[1];
  damage(store_.objects(), keys::chunk(victim.id));
  writer_.remember(*std::get<ManifestPtr>(version->content));
  std::vector<std::byte> out(bytes.size());
  EXPECT_EQ(open_file(version)->read(0, out, test_context()).error().code(), Errc::corrupt);

  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  seal(*draft);
  EXPECT_EQ(open_file(version)->read(0, out, test_context()).value(), bytes.size());
  EXPECT_EQ(out, to_vector(bytes.view()));
  EXPECT_FALSE(host_.environment().damaged.contains(victim.id));
}

TEST_F(DamagedStoreTest, a_chunk_that_was_found_missing_comes_back_when_it_is_saved_again) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const VersionPtr version = put_file(store_, bytes.view());
  const ManifestPtr manifest = std::get<ManifestPtr>(version->content);
  writer_.remember(*manifest);
  ASSERT_TRUE(store_.objects().remove({keys::chunk(manifest->chunks()[0].id)}, test_context()));
  std::vector<std::byte> out(bytes.size());
  EXPECT_FALSE(open_file(version)->read(0, out, test_context()));
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  seal(*draft);
  EXPECT_TRUE(open_file(version)->read(0, out, test_context()));
}

TEST_F(DamagedStoreTest, junk_under_a_chunks_key_is_noticed_by_the_save_that_finds_it_there) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const Buffer whole = encode_chunk(bytes.view(), 1);
  Buffer forged = Buffer::copy_of(whole.view());
  forged.data()[forged.size() - 1] ^= std::byte{1};
  const std::string key = keys::chunk(sha256(bytes.view()));
  const Buffer longer = random_bytes(5 * kChunk, 2);
  for (const ByteView junk :
       {forged.view(), whole.view().first(100), ByteView{}, as_bytes("no chunk"), longer.view()}) {
    TestEnvironment host(remote_);
    ChunkReader reader(host.environment());
    ChunkWriter writer(host.environment());
    plant(store_.objects(), key, junk);
    const auto draft = Draft::open(host.environment(), reader, writer, nullptr).value();
    write_sequentially(*draft, bytes.view());
    seal(*draft);
    EXPECT_EQ(to_vector(store_.objects().get(key, {}, test_context()).value().view()), to_vector(whole.view()));
    EXPECT_EQ(host.counters().chunks_sent, 1U);
  }
}

TEST_F(DamagedStoreTest, junk_under_the_key_of_a_chunk_that_a_manifest_lists_is_noticed_by_the_save) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const VersionPtr version = put_file(store_, bytes.view());
  const ManifestPtr manifest = std::get<ManifestPtr>(version->content);
  damage(store_.objects(), keys::chunk(manifest->chunks()[0].id));
  writer_.remember(*manifest);
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  seal(*draft);
  std::vector<std::byte> out(bytes.size());
  EXPECT_EQ(open_file(version)->read(0, out, test_context()).value(), bytes.size());
  EXPECT_EQ(out, to_vector(bytes.view()));
}

// XXH3 finds accidents; a second preimage takes microseconds, so a checksum alone is no look.
TEST_F(DamagedStoreTest, a_chunk_that_was_read_under_another_checksum_is_looked_at_when_it_is_saved) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const Buffer junk = random_bytes(kChunk, 2);
  const ChunkRef forged{0, kChunk, sha256(bytes.view()), xxh3_128(junk.view())};
  plant(store_.objects(), keys::chunk(forged.id), encode_chunk(junk.view(), 1).view());
  EXPECT_TRUE(reader_.fetch(forged, test_context()));
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  const StoredContent sealed = seal(*draft);
  TestEnvironment other(remote_);
  ChunkReader reader(other.environment());
  EXPECT_TRUE(reader.fetch(manifest_of(sealed).chunks()[0], test_context()));
}

TEST_F(DamagedStoreTest, junk_that_comes_back_fails_the_save) {
  const Buffer bytes = random_bytes(kChunk, 1);
  put_file(store_, bytes.view());
  remote_.add({.operation = ObjectOperation::get,
               .key_prefix = std::string(keys::kChunks),
               .times = kEveryTime,
               .effect = FaultEffect::flip_bit});
  remote_.add({.operation = ObjectOperation::put_if_absent,
               .key_prefix = std::string(keys::kChunks),
               .times = kEveryTime,
               .error = Errc::already_exists});
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  EXPECT_FALSE(draft->seal(test_context()));
}

TEST_F(DamagedStoreTest, a_chunk_in_a_newer_encoding_is_not_removed_and_fails_the_save) {
  const Buffer bytes = random_bytes(kChunk, 1);
  Buffer newer = encode_chunk(bytes.view(), 1);
  newer.data()[5] = std::byte{99};
  plant(store_.objects(), keys::chunk(sha256(bytes.view())), newer.view());
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  EXPECT_EQ(draft->seal(test_context()).error().code(), Errc::unsupported);
  EXPECT_EQ(remote_.count(ObjectOperation::remove), 0U);
}

TEST_F(DamagedStoreTest, bytes_that_were_damaged_on_their_way_remove_nothing) {
  const Buffer bytes = random_bytes(kChunk, 1);
  put_file(store_, bytes.view());
  remote_.add(
      {.operation = ObjectOperation::get, .key_prefix = std::string(keys::kChunks), .effect = FaultEffect::flip_bit});
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  seal(*draft);
  EXPECT_EQ(remote_.count(ObjectOperation::remove), 0U);
}

TEST_F(DamagedStoreTest, what_is_there_is_looked_at_once_by_a_process) {
  const Buffer bytes = random_bytes(3 * kChunk, 1);
  put_file(store_, bytes.view());
  for (const uint64_t looks : {3U, 3U}) {
    const auto draft = new_draft();
    write_sequentially(*draft, bytes.view());
    seal(*draft);
    EXPECT_EQ(fetches(), looks);
  }
  EXPECT_EQ(puts(), 3U);
}

TEST_F(DamagedStoreTest, what_this_process_has_read_is_not_looked_at_again) {
  const Buffer bytes = random_bytes(3 * kChunk, 1);
  const VersionPtr version = put_file(store_, bytes.view());
  std::vector<std::byte> out(bytes.size());
  EXPECT_TRUE(open_file(version)->read(0, out, test_context()));
  remote_.reset_counts();
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  seal(*draft);
  EXPECT_EQ(remote_.count(), 0U);
}

TEST_F(DamagedStoreTest, what_another_host_has_healed_is_not_removed) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const VersionPtr version = put_file(store_, bytes.view());
  const ChunkId id = std::get<ManifestPtr>(version->content)->chunks()[0].id;
  const Buffer whole = store_.objects().get(keys::chunk(id), {}, test_context()).value();
  damage(store_.objects(), keys::chunk(id));
  std::vector<std::byte> out(bytes.size());
  EXPECT_FALSE(open_file(version)->read(0, out, test_context()));
  plant(store_.objects(), keys::chunk(id), whole.view());
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  seal(*draft);
  EXPECT_EQ(remote_.count(ObjectOperation::remove), 0U);
}

TEST_F(DamagedStoreTest, a_replacement_that_fails_half_way_is_finished_by_the_next_save) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const VersionPtr version = put_file(store_, bytes.view());
  damage(store_.objects(), keys::chunk(std::get<ManifestPtr>(version->content)->chunks()[0].id));
  std::vector<std::byte> out(bytes.size());
  EXPECT_FALSE(open_file(version)->read(0, out, test_context()));
  const auto draft = new_draft();
  remote_.add({.operation = ObjectOperation::put_if_absent, .key_prefix = std::string(keys::kChunks), .nth = 2});
  write_sequentially(*draft, bytes.view());
  (void)draft->seal(test_context());  // fails, unless what failed was sent before it
  EXPECT_TRUE(draft->seal(test_context()));
  EXPECT_EQ(remote_.count(ObjectOperation::put_if_absent, keys::kChunks), 3U);
  EXPECT_TRUE(open_file(version)->read(0, out, test_context()));
}

TEST_F(DamagedStoreTest, a_manifest_that_was_found_damaged_heals_when_it_is_saved_again) {
  StoreEnvironment& environment = host_.environment();
  std::vector<ChunkRef> chunks;
  for (uint64_t i = 0; i < 100; ++i) {
    const Buffer bytes = random_bytes(100, i);
    chunks.push_back({i * kChunk, 100, sha256(bytes.view()), xxh3_128(bytes.view())});
  }
  const Manifest manifest(100 * kChunk, chunks);
  const Digest id = put_manifest(environment, manifest, test_context()).value();
  TestEnvironment other(remote_);
  damage(store_.objects(), keys::manifest(id));
  EXPECT_EQ(fetch_manifest(other.environment(), id, test_context()).error().code(), Errc::corrupt);
  EXPECT_EQ(put_manifest(other.environment(), manifest, test_context()).value(), id);
  TestEnvironment third(remote_);
  EXPECT_TRUE(fetch_manifest(third.environment(), id, test_context()));
}

TEST_F(DamagedStoreTest, junk_under_a_manifests_key_is_noticed_by_the_save_that_finds_it_there) {
  const Manifest manifest(1000 * kChunk, {{0, 100, sha256({}), xxh3_128({})}});
  const EncodedManifest whole = encode_manifest(manifest, kChunk).value();
  const EncodedManifest another = encode_manifest(Manifest(kChunk, {}), kChunk).value();
  for (const ByteView junk : {another.object.view(), whole.object.view().first(50), as_bytes("no manifest")}) {
    TestEnvironment host(remote_);
    plant(store_.objects(), keys::manifest(whole.id), junk);
    EXPECT_EQ(put_manifest(host.environment(), manifest, test_context()).value(), whole.id);
    TestEnvironment other(remote_);
    EXPECT_TRUE(fetch_manifest(other.environment(), whole.id, test_context()));
  }
}

TEST(DamagedDirectoryTest, a_damaged_object_in_a_directory_is_replaced) {
  TemporaryDirectory directory;
  const auto objects = DirectoryObjectStore::open({directory.path().string()}).value();
  SeededRandom random(1);
  FakeClock clock;
  ASSERT_TRUE(init_store(*objects, {}, clock, random, test_context()));
  TestEnvironment host(*objects);
  const Buffer whole = random_bytes(1000, 1);
  const Digest id = sha256(whole.view());
  const NamedObject object{
      .id = id, .key = "chunks/x", .most_bytes = 1000, .is_whole = [&](const Buffer& found) -> Result<bool> {
        return sha256(found.view()) == id;
      }};
  ASSERT_TRUE(objects->put_if_absent("chunks/x", random_bytes(1000, 2).view(), test_context()));
  EXPECT_EQ(put_whole(host.environment(), object, whole.view(), test_context()).value(), Put::sent);
  EXPECT_EQ(to_vector(objects->get("chunks/x", {}, test_context()).value().view()), to_vector(whole.view()));
}

}  // namespace
}  // namespace cairn
