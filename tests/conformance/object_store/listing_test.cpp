// What a store promises about listings.
#include <thread>

#include "tests/conformance/object_store/object_store_suite.h"

namespace cairn {

using Keys = std::vector<std::string>;

TEST_P(ObjectStoreSuite, an_empty_store_lists_nothing) {
  EXPECT_EQ(keys(), Keys{});
  EXPECT_EQ(keys("dirs/1/"), Keys{});
  EXPECT_EQ(keys("d", 1), Keys{});
}

TEST_P(ObjectStoreSuite, a_listing_is_in_bytewise_order_of_whole_keys) {
  // "-" and "." sort before "/", digits and letters after it: folders do not sort by their names alone.
  for (const std::string key : {"a0", "a/b-", "b", "a-b", "A/z", "aa", "a.b", "a/c/d", "a/b"})
    ASSERT_TRUE(put(key, "v"));
  EXPECT_EQ(keys(), (Keys{"A/z", "a-b", "a.b", "a/b", "a/b-", "a/c/d", "a0", "aa", "b"}));
}

TEST_P(ObjectStoreSuite, every_page_size_gives_the_same_keys) {
  Keys all;
  for (const std::string folder : {"dirs/1", "dirs/2", "dirs/20", "tags"}) {
    for (const std::string name : {"a", "b", "c"}) all.push_back(folder + "/" + name);
  }
  std::sort(all.begin(), all.end());
  for (const std::string& key : all) ASSERT_TRUE(put(key, key));
  for (size_t page_size = 1; page_size <= all.size() + 1; ++page_size) EXPECT_EQ(keys("", page_size), all);
}

TEST_P(ObjectStoreSuite, a_prefix_need_not_end_at_a_slash) {
  for (const std::string key : {"dirs/1/a", "dirs/10/a", "dirs/2/a", "dirt"}) ASSERT_TRUE(put(key, "v"));
  EXPECT_EQ(keys("dirs/1/"), (Keys{"dirs/1/a"}));
  EXPECT_EQ(keys("dirs/1"), (Keys{"dirs/1/a", "dirs/10/a"}));
  EXPECT_EQ(keys("dir"), (Keys{"dirs/1/a", "dirs/10/a", "dirs/2/a", "dirt"}));
  EXPECT_EQ(keys("dirt"), (Keys{"dirt"}));
  EXPECT_EQ(keys("dirt/"), (Keys{}));
  EXPECT_EQ(keys("dirs/1/a/"), (Keys{}));
  EXPECT_EQ(keys("nothing/at/all"), (Keys{}));
}

TEST_P(ObjectStoreSuite, a_listing_goes_on_after_any_key_there_or_not) {
  for (const std::string key : {"d/a", "d/c", "d/e/f", "e"}) ASSERT_TRUE(put(key, "v"));
  EXPECT_EQ(keys("", 10, "d/c"), (Keys{"d/e/f", "e"}));
  EXPECT_EQ(keys("", 10, "d/b"), (Keys{"d/c", "d/e/f", "e"}));
  EXPECT_EQ(keys("", 10, "d/e"), (Keys{"d/e/f", "e"}));
  EXPECT_EQ(keys("", 10, "d/e/g"), (Keys{"e"}));
  EXPECT_EQ(keys("", 10, "zz"), (Keys{}));
  EXPECT_EQ(keys("d/", 10, "a"), (Keys{"d/a", "d/c", "d/e/f"}));
  EXPECT_EQ(keys("d/", 10, "d/c"), (Keys{"d/e/f"}));
  EXPECT_EQ(keys("d/", 10, "e"), (Keys{}));
}

TEST_P(ObjectStoreSuite, the_newest_record_is_the_first_of_a_listing_of_one) {
  for (const std::string number : {"fffe", "fffc", "fffd"}) ASSERT_TRUE(put("dirs/1/" + number, number));
  const auto page = store().list("dirs/1/", "", 1, test_context());
  ASSERT_TRUE(page);
  ASSERT_EQ(page->objects.size(), 1);
  EXPECT_EQ(page->objects[0].key, "dirs/1/fffc");
  EXPECT_TRUE(page->more);
}

TEST_P(ObjectStoreSuite, a_listing_tells_sizes) {
  ASSERT_TRUE(put("a", ""));
  ASSERT_TRUE(put("b/c", "four"));
  const auto page = store().list("", "", 10, test_context());
  ASSERT_TRUE(page);
  ASSERT_EQ(page->objects.size(), 2);
  EXPECT_EQ(page->objects[0].size_bytes, 0);
  EXPECT_EQ(page->objects[1].size_bytes, 4);
  EXPECT_FALSE(page->more);
}

TEST_P(ObjectStoreSuite, a_listing_sees_puts_and_removals_at_once) {
  for (int i = 0; i < 10; ++i) {
    const std::string key = "dirs/9/" + std::to_string(i);
    ASSERT_TRUE(put(key, "v"));
    EXPECT_EQ(keys("dirs/9/"), Keys{key});
    ASSERT_TRUE(store().remove({key}, test_context()));
    EXPECT_EQ(keys("dirs/9/"), Keys{});
  }
}

TEST_P(ObjectStoreSuite, objects_that_stay_are_in_every_listing_while_others_come_and_go) {
  ASSERT_TRUE(put("d/first", "v"));
  ASSERT_TRUE(put("d/last", "v"));
  std::jthread busy([&] {
    for (int i = 0; i < 50; ++i) {
      const std::string key = "d/guest" + std::to_string(i % 5);
      EXPECT_TRUE(put(key, "v"));
      EXPECT_TRUE(store().remove({key}, test_context()));
    }
  });
  for (int i = 0; i < 50; ++i) {
    const Keys seen = keys("d/", 2);
    ASSERT_GE(seen.size(), 2);
    EXPECT_EQ(seen.front(), "d/first");
    EXPECT_EQ(seen.back(), "d/last");
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  }
}

TEST_P(ObjectStoreSuite, a_folder_that_was_emptied_lists_nothing_and_ends_the_page) {
  for (const std::string key : {"a/x", "b/x", "c/x"}) ASSERT_TRUE(put(key, "v"));
  ASSERT_TRUE(store().remove({"b/x"}, test_context()));
  ASSERT_TRUE(store().remove({"c/x"}, test_context()));
  const auto page = store().list("", "", 1, test_context());
  ASSERT_TRUE(page);
  EXPECT_EQ(page->objects.size(), 1);
  EXPECT_FALSE(page->more);
}

TEST_P(ObjectStoreSuite, malformed_listings_are_refused) {
  for (const std::string prefix : {"/", "/a", "a//", "../", "a/../", "./", "a b", "+"}) {
    EXPECT_EQ(keys(prefix), Keys{"<invalid argument>"}) << prefix;
  }
  EXPECT_EQ(code_of(store().list("", "", 0, test_context())), "invalid argument");
}

TEST_P(ObjectStoreSuite, a_big_folder_is_listed_whole_in_pages_of_any_size) {
  Keys all;
  for (int i = 0; i < 300; ++i) all.push_back(fmt::format("m/{:04}", i));
  for (const std::string& key : all) ASSERT_TRUE(put(key, ""));
  EXPECT_EQ(keys("m/", 1000), all);
  EXPECT_EQ(keys("m/", 7), all);
}

}  // namespace cairn
