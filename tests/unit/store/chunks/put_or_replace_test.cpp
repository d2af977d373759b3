#include "store/chunks/put_or_replace.h"

#include "remote/directory/directory_object_store.h"
#include "store/chunks/manifest_objects.h"
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

TEST_F(DamagedStoreTest, damage_that_nobody_here_has_seen_costs_a_save_nothing) {
  const Buffer bytes = random_bytes(kChunk, 1);
  const VersionPtr version = put_file(store_, bytes.view());
  damage(store_.objects(), keys::chunk(std::get<ManifestPtr>(version->content)->chunks()[0].id));
  const auto draft = new_draft();
  write_sequentially(*draft, bytes.view());
  seal(*draft);
  EXPECT_EQ(puts(), 1U);
  EXPECT_EQ(fetches(), 0U);
  EXPECT_EQ(remote_.count(ObjectOperation::remove), 0U);
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

TEST(DamagedDirectoryTest, a_damaged_object_in_a_directory_is_replaced) {
  TemporaryDirectory directory;
  const auto objects = DirectoryObjectStore::open({directory.path().string()}).value();
  SeededRandom random(1);
  FakeClock clock;
  ASSERT_TRUE(init_store(*objects, {}, clock, random, test_context()));
  TestEnvironment host(*objects);
  const Buffer whole = random_bytes(1000, 1);
  const Digest id = sha256(whole.view());
  const auto is_whole = [&](const Buffer& object) { return sha256(object.view()) == id; };
  ASSERT_TRUE(objects->put_if_absent("chunks/x", random_bytes(1000, 2).view(), test_context()));
  EXPECT_EQ(put_or_replace(host.environment(), id, "chunks/x", whole.view(), is_whole, test_context()).error().code(),
            Errc::already_exists);
  host.environment().damaged.add(id);
  EXPECT_TRUE(put_or_replace(host.environment(), id, "chunks/x", whole.view(), is_whole, test_context()));
  EXPECT_EQ(to_vector(objects->get("chunks/x", {}, test_context()).value().view()), to_vector(whole.view()));
}

}  // namespace
}  // namespace cairn
