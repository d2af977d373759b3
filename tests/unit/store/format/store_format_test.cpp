#include "store/format/store_format.h"

#include <gtest/gtest.h>

#include "remote/memory_object_store.h"
#include "store/format/keys.h"
#include "store/format/record.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

class StoreFormatTest : public testing::Test {
 protected:
  Result<StoreFormat> init(StoreFormat wanted = {}) {
    return init_store(objects_, std::move(wanted), clock_, random_, test_context());
  }
  void put(const std::string& key, std::string_view bytes) {
    ASSERT_TRUE(objects_.put_if_absent(key, as_bytes(bytes), test_context()));
  }

  MemoryObjectStore objects_;
  FakeClock clock_;
  SeededRandom random_{1};
};

TEST_F(StoreFormatTest, made_store_opens_with_what_it_was_made_with) {
  const auto made = init({.store_id = {}, .chunk_size = 1U << 20, .keep_versions = 7, .keep_deleted_seconds = 60});
  ASSERT_TRUE(made) << made.error().to_string();
  const auto opened = open_store_format(objects_, test_context());
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->to_json(), made->to_json());
  EXPECT_EQ(opened->chunk_size, 1U << 20);
  EXPECT_EQ(opened->store_id.size(), 32U);
}

TEST_F(StoreFormatTest, made_store_has_an_empty_root) {
  ASSERT_TRUE(init());
  const auto object = objects_.get(keys::record(kRootId, 1), {}, test_context());
  ASSERT_TRUE(object);
  const auto record = decode_record(object->view(), kRootId, 1, {}, kDefaultChunkSize);
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->changes.empty());
  EXPECT_EQ(record->attributes->mode, 0755U);
}

TEST_F(StoreFormatTest, second_init_leaves_the_first_store_alone) {
  const auto first = init();
  ASSERT_TRUE(first);
  EXPECT_EQ(init().error().code(), Errc::already_exists);
  EXPECT_EQ(open_store_format(objects_, test_context())->store_id, first->store_id);
}

TEST_F(StoreFormatTest, interrupted_init_can_be_repeated) {
  ASSERT_TRUE(init());
  ASSERT_TRUE(objects_.remove({keys::kFormat}, test_context()));
  EXPECT_TRUE(init());
}

TEST_F(StoreFormatTest, place_without_a_format_object_is_no_store) {
  const auto opened = open_store_format(objects_, test_context());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Errc::not_found);
  EXPECT_NE(opened.error().message().find("cairnfs init"), std::string::npos);
}

TEST_F(StoreFormatTest, sizes_out_of_range_are_refused) {
  for (const uint32_t size : {0U, 1U << 15, 3U << 16, 8U << 20}) {
    EXPECT_EQ(init({.store_id = {}, .chunk_size = size}).error().code(), Errc::invalid_argument) << size;
  }
  EXPECT_EQ(init({.store_id = {}, .keep_versions = 0}).error().code(), Errc::invalid_argument);
  EXPECT_EQ(open_store_format(objects_, test_context()).error().code(), Errc::not_found);
}

TEST_F(StoreFormatTest, newer_format_is_unsupported_whatever_else_it_says) {
  put(keys::kFormat, R"({"format": 2, "chunk_size": "in some other way"})");
  const auto opened = open_store_format(objects_, test_context());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Errc::unsupported);
  EXPECT_NE(opened.error().message().find("format 2"), std::string::npos);
}

TEST(StoreFormatJson, fields_of_a_later_version_are_ignored) {
  const StoreFormat format{.store_id = std::string(32, '0')};
  std::string json = format.to_json();
  json.insert(1, "\"comment\": {\"a\": [1, 2]},");
  EXPECT_TRUE(StoreFormat::from_json(json));
}

TEST(StoreFormatJson, anything_else_is_corrupt) {
  // A complete object with one field's text replaced.
  const auto with = [](const std::string& from, const std::string& to) {
    std::string json = StoreFormat{.store_id = std::string(32, '0')}.to_json();
    const size_t at = json.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return json.replace(at, from.size(), to);
  };
  const std::vector<std::string> broken = {"",
                                           "x",
                                           "[]",
                                           "{}",
                                           std::string(70'000, ' '),
                                           with("\"format\": 1", "\"format\": 0"),
                                           with("\"format\": 1", "\"format\": -1"),
                                           with("\"format\": 1", "\"format\": \"1\""),
                                           with("4194304", "5"),
                                           with("4194304", "4299161600"),
                                           with("keep_versions", "drop_versions"),
                                           with("00000000", "0000000")};
  for (const std::string& json : broken) {
    const auto format = StoreFormat::from_json(json);
    ASSERT_FALSE(format) << json;
    EXPECT_EQ(format.error().code(), Errc::corrupt) << json;
  }
}

}  // namespace
}  // namespace cairn
