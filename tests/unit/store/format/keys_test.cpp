#include "store/format/keys.h"

#include <gtest/gtest.h>

#include <limits>

namespace cairn {
namespace {

TEST(Keys, chunk_is_filed_under_its_first_two_digits) {
  const ChunkId id = sha256(as_bytes("x"));
  EXPECT_EQ(keys::chunk(id), "chunks/" + id.hex().substr(0, 2) + "/" + id.hex());
  ChunkId back;
  ASSERT_TRUE(keys::parse_chunk(keys::chunk(id), &back));
  EXPECT_EQ(back, id);
  EXPECT_FALSE(keys::parse_manifest(keys::chunk(id), &back));
}

TEST(Keys, manifest_round_trips) {
  const Digest id = sha256(as_bytes("y"));
  Digest back;
  ASSERT_TRUE(keys::parse_manifest(keys::manifest(id), &back));
  EXPECT_EQ(back, id);
}

TEST(Keys, newer_record_sorts_before_older_one) {
  EXPECT_EQ(keys::record(1, 1), "dirs/0000000000000001/fffffffffffffffe");
  EXPECT_LT(keys::record(1, 256), keys::record(1, 255));
  EXPECT_LT(keys::record(1, std::numeric_limits<uint64_t>::max()), keys::record(1, 1));
  EXPECT_TRUE(keys::record(7, 3).starts_with(keys::directory(7)));
}

TEST(Keys, record_round_trips) {
  EntryId id = 0;
  RecordNumber number = 0;
  ASSERT_TRUE(keys::parse_record(keys::record(0xabcdef0123456789, 42), &id, &number));
  EXPECT_EQ(id, 0xabcdef0123456789);
  EXPECT_EQ(number, 42U);
}

TEST(Keys, foreign_keys_are_no_records) {
  EntryId id = 0;
  RecordNumber number = 0;
  for (const std::string key : {"", "dirs/", "dirs/1/2", "cairn.format", "dirs/0000000000000001/fffffffffffffffE",
                                "dirs/0000000000000001-fffffffffffffffe", "dirs/0000000000000001/ffffffffffffffff"}) {
    EXPECT_FALSE(keys::parse_record(key, &id, &number)) << key;
  }
}

TEST(Keys, chunk_in_the_folder_of_another_is_no_chunk) {
  std::string key = keys::chunk(sha256(as_bytes("x")));
  key[7] = key[7] == 'a' ? 'b' : 'a';
  ChunkId id;
  EXPECT_FALSE(keys::parse_chunk(key, &id));
}

}  // namespace
}  // namespace cairn
