// What a store promises about single objects.
#include <sys/mman.h>

#include <latch>
#include <limits>
#include <thread>

#include "remote/object_rules.h"
#include "tests/conformance/object_store/object_store_suite.h"

namespace cairn {

INSTANTIATE_TEST_SUITE_P(All, ObjectStoreSuite, testing::ValuesIn(object_store_kinds()),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(ObjectStoreSuite, what_was_put_is_read_back) {
  ASSERT_TRUE(put("chunks/ab/abcd", "some bytes"));
  EXPECT_EQ(text_of("chunks/ab/abcd"), "some bytes");
  EXPECT_EQ(store().head("chunks/ab/abcd", test_context()).value().size_bytes, 10);
  EXPECT_EQ(store().head("chunks/ab/abcd", test_context()).value().key, "chunks/ab/abcd");
}

TEST_P(ObjectStoreSuite, head_tells_when_an_object_was_put) {
  constexpr Nanos kMinute = 60'000'000'000;  // these stores go by this machine's clock, or one that is as good
  ASSERT_TRUE(put("dirs/1/1", "record"));
  const auto created = store().head("dirs/1/1", test_context()).value().created;
  ASSERT_TRUE(created);
  EXPECT_LT(std::abs(*created - system_clock().wall_now()), kMinute);
}

TEST_P(ObjectStoreSuite, an_object_may_be_empty) {
  ASSERT_TRUE(put("empty", ""));
  EXPECT_EQ(text_of("empty"), "");
  EXPECT_EQ(store().head("empty", test_context()).value().size_bytes, 0);
  EXPECT_EQ(code_of(put("empty", "not any more")), "already exists");
}

TEST_P(ObjectStoreSuite, big_objects_keep_every_byte) {
  const Buffer bytes = random_bytes((33U << 20) + 5, test_seed());
  ASSERT_TRUE(store().put_if_absent("big", bytes.view(), test_context()));
  const auto whole = store().get("big", {}, test_context());
  ASSERT_TRUE(whole);
  EXPECT_TRUE(as_text(whole->view()) == as_text(bytes.view()));
  const auto middle = store().get("big", {17U << 20, 1U << 20}, test_context());
  ASSERT_TRUE(middle);
  EXPECT_TRUE(as_text(middle->view()) == as_text(bytes.view().subspan(17U << 20, 1U << 20)));
}

TEST_P(ObjectStoreSuite, what_is_not_there_is_not_found) {
  EXPECT_EQ(text_of("nothing"), "<not found>");
  EXPECT_EQ(text_of("no/such/folder"), "<not found>");
  EXPECT_EQ(code_of(store().head("nothing", test_context())), "not found");
  EXPECT_EQ(code_of(store().head("no/such/folder", test_context())), "not found");
}

TEST_P(ObjectStoreSuite, a_folder_of_objects_is_no_object) {
  ASSERT_TRUE(put("dirs/1/record", "r"));
  EXPECT_EQ(text_of("dirs/1"), "<not found>");
  EXPECT_EQ(code_of(store().head("dirs", test_context())), "not found");
}

TEST_P(ObjectStoreSuite, a_range_gives_its_part) {
  ASSERT_TRUE(put("digits", "0123456789"));
  EXPECT_EQ(text_of("digits", {3, 4}), "3456");
  EXPECT_EQ(text_of("digits", {3, std::nullopt}), "3456789");
  EXPECT_EQ(text_of("digits", {0, 1}), "0");
  EXPECT_EQ(text_of("digits", {4, 0}), "");
}

TEST_P(ObjectStoreSuite, a_range_past_the_end_is_cut_there) {
  constexpr uint64_t kFar = std::numeric_limits<uint64_t>::max();
  ASSERT_TRUE(put("digits", "0123456789"));
  EXPECT_EQ(text_of("digits", {8, 100}), "89");
  EXPECT_EQ(text_of("digits", {8, kFar}), "89");
  EXPECT_EQ(text_of("digits", {10, 1}), "");
  EXPECT_EQ(text_of("digits", {11, std::nullopt}), "");
  EXPECT_EQ(text_of("digits", {kFar, kFar}), "");
}

TEST_P(ObjectStoreSuite, a_second_put_is_refused_and_changes_nothing) {
  ASSERT_TRUE(put("key", "first"));
  EXPECT_EQ(code_of(put("key", "second, longer")), "already exists");
  EXPECT_EQ(text_of("key"), "first");
}

TEST_P(ObjectStoreSuite, of_32_racers_for_one_key_one_wins_and_all_see_its_bytes) {
  constexpr int kRacers = 32;
  std::latch start(kRacers);
  std::vector<std::string> outcomes(kRacers);
  std::vector<std::string> seen(kRacers);
  {
    std::vector<std::jthread> racers;
    for (size_t i = 0; i < kRacers; ++i) {
      racers.emplace_back([&, i] {
        start.arrive_and_wait();
        outcomes[i] = code_of(put("new/folder/key", "racer " + std::to_string(i)));
        seen[i] = text_of("new/folder/key");
      });
    }
  }
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), "success"), 1);
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), "already exists"), kRacers - 1);
  const auto winner = std::find(outcomes.begin(), outcomes.end(), "success") - outcomes.begin();
  for (const std::string& text : seen) EXPECT_EQ(text, "racer " + std::to_string(winner));
}

TEST_P(ObjectStoreSuite, threads_with_keys_of_their_own_do_not_disturb_each_other) {
  constexpr int kThreads = 8;
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 12; ++i) {
        const std::string key = "f" + std::to_string(i % 3) + "/" + std::to_string(thread) + "." + std::to_string(i);
        EXPECT_EQ(code_of(put(key, key)), "success");
        EXPECT_EQ(text_of(key), key);
        EXPECT_EQ(keys(key), std::vector{key});
        if (i % 2 == 1) continue;
        EXPECT_EQ(code_of(store().remove({key}, test_context())), "success");
      }
    });
  }
  threads.clear();
  EXPECT_EQ(keys().size(), kThreads * 6);
}

TEST_P(ObjectStoreSuite, a_removed_object_is_gone_and_its_key_free) {
  ASSERT_TRUE(put("key", "first"));
  ASSERT_TRUE(store().remove({"key"}, test_context()));
  EXPECT_EQ(text_of("key"), "<not found>");
  EXPECT_EQ(code_of(put("key", "second")), "success");
  EXPECT_EQ(text_of("key"), "second");
}

TEST_P(ObjectStoreSuite, removing_what_is_not_there_succeeds) {
  EXPECT_EQ(code_of(store().remove({"nothing"}, test_context())), "success");
  EXPECT_EQ(code_of(store().remove({"no/such/folder"}, test_context())), "success");
}

TEST_P(ObjectStoreSuite, many_objects_are_removed_at_once_and_no_others) {
  std::vector<std::string> gone;
  for (int i = 0; i < 30; ++i) gone.push_back(fmt::format("d{}/gone.{}", i % 3, i));
  for (const std::string& key : gone) ASSERT_TRUE(put(key, key));
  ASSERT_TRUE(put("d1/stays", "v"));
  gone.push_back("never/was");
  EXPECT_EQ(code_of(store().remove(gone, test_context())), "success");
  EXPECT_EQ(keys(), std::vector<std::string>{"d1/stays"});
  EXPECT_EQ(code_of(store().remove({}, test_context())), "success");
  EXPECT_EQ(code_of(store().remove({"d1/stays", "bad//key"}, test_context())), "invalid argument");
  EXPECT_EQ(keys(), std::vector<std::string>{"d1/stays"});
}

TEST_P(ObjectStoreSuite, keys_may_be_as_long_as_allowed) {
  const auto name = [](size_t size) { return std::string(size, 'n'); };
  const std::string key = name(255) + "/" + name(254) + "/n";
  ASSERT_EQ(key.size(), kMaxKeyBytes);
  EXPECT_EQ(code_of(put(key, "v")), "success");
  EXPECT_EQ(text_of(key), "v");
  EXPECT_EQ(keys(), std::vector{key});
}

TEST_P(ObjectStoreSuite, malformed_keys_are_refused_by_every_operation) {
  const std::string long_name(kMaxKeyComponentBytes + 1, 'n');
  std::string long_key = "a";
  while (long_key.size() <= kMaxKeyBytes) long_key += "/a";
  for (const std::string& key :
       {std::string(), std::string("/"), std::string("/a"), std::string("a/"), std::string("a//b"), std::string("."),
        std::string(".."), std::string("../a"), std::string("a/../b"), std::string("a/./b"), std::string("a/.."),
        std::string("a b"), std::string("a\\b"), std::string("ä"), std::string("+tmp/x"), std::string("a\0b", 3),
        std::string("a\n"), long_name, long_key}) {
    EXPECT_EQ(text_of(key), "<invalid argument>") << key;
    EXPECT_EQ(code_of(put(key, "v")), "invalid argument") << key;
    EXPECT_EQ(code_of(store().head(key, test_context())), "invalid argument") << key;
    EXPECT_EQ(code_of(store().remove({key}, test_context())), "invalid argument") << key;
  }
  EXPECT_EQ(keys(), std::vector<std::string>{});
}

TEST_P(ObjectStoreSuite, an_object_past_the_allowed_size_is_refused_unread) {
  constexpr size_t kTooLarge = kMaxObjectBytes + 1;
  void* unreadable = mmap(nullptr, kTooLarge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(unreadable, MAP_FAILED);
  const ByteView bytes(static_cast<const std::byte*>(unreadable), kTooLarge);
  EXPECT_EQ(code_of(store().put_if_absent("huge", bytes, test_context())), "invalid argument");
  munmap(unreadable, kTooLarge);
}

TEST_P(ObjectStoreSuite, a_stopped_request_does_nothing) {
  ASSERT_TRUE(put("there", "v"));
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token());
  EXPECT_EQ(code_of(store().get("there", {}, stopped)), "cancelled");
  EXPECT_EQ(code_of(store().put_if_absent("new", as_bytes("v"), stopped)), "cancelled");
  EXPECT_EQ(code_of(store().head("there", stopped)), "cancelled");
  EXPECT_EQ(code_of(store().list("", "", 10, stopped)), "cancelled");
  EXPECT_EQ(code_of(store().remove({"there"}, stopped)), "cancelled");
  EXPECT_EQ(keys(), std::vector<std::string>{"there"});
}

TEST_P(ObjectStoreSuite, a_request_past_its_deadline_does_nothing) {
  ASSERT_TRUE(put("there", "v"));
  const auto late = RequestContext::within(std::chrono::seconds(-1));
  EXPECT_EQ(code_of(store().get("there", {}, late)), "deadline exceeded");
  EXPECT_EQ(code_of(store().put_if_absent("new", as_bytes("v"), late)), "deadline exceeded");
  EXPECT_EQ(code_of(store().head("there", late)), "deadline exceeded");
  EXPECT_EQ(code_of(store().list("", "", 10, late)), "deadline exceeded");
  EXPECT_EQ(code_of(store().remove({"there"}, late)), "deadline exceeded");
  EXPECT_EQ(keys(), std::vector<std::string>{"there"});
}

TEST_P(ObjectStoreSuite, errors_name_the_key_they_are_about) {
  EXPECT_NE(store().get("dirs/7/f00", {}, test_context()).error().message().find("dirs/7/f00"), std::string::npos);
  ASSERT_TRUE(put("dirs/7/f00", "v"));
  EXPECT_NE(put("dirs/7/f00", "other").error().message().find("dirs/7/f00"), std::string::npos);
}

TEST_P(ObjectStoreSuite, a_store_says_where_it_is) {
  const std::string where = store().describe();
  const bool is_url = where.starts_with("mem:") || where.starts_with("dir:/") || where.starts_with("s3://");
  EXPECT_TRUE(is_url) << where;
}

}  // namespace cairn
