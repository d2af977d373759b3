#include "remote/open.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "remote/remote_stack.h"
#include "tests/support/test_environment.h"

namespace cairn {

namespace fs = std::filesystem;

TEST(OpenObjectStore, a_directory_is_opened_by_its_url) {
  TemporaryDirectory directory;
  const auto store = open_object_store("dir:" + directory.path().string(), {});
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->describe(), "dir:" + directory.path().string());
}

TEST(OpenObjectStore, a_relative_path_is_seen_from_here_and_now) {
  TemporaryDirectory directory;
  const fs::path before = fs::current_path();
  fs::current_path(directory.path());
  const auto store = open_object_store("dir:./here/../models/", {.create = true});
  fs::current_path(before);
  ASSERT_TRUE(store) << store.error().to_string();
  EXPECT_EQ((*store)->describe(), "dir:" + (fs::canonical(directory.path()) / "models").string());
  EXPECT_TRUE((*store)->put_if_absent("key", as_bytes("v"), test_context()));
}

TEST(OpenObjectStore, an_unknown_scheme_names_those_that_are_known) {
  for (const std::string url : {"gs://bucket/models", "mem:test", "https://host/models"}) {
    const auto store = open_object_store(url, {});
    ASSERT_FALSE(store) << url;
    EXPECT_EQ(store.error().code(), Errc::unsupported);
    EXPECT_NE(store.error().message().find("dir:PATH"), std::string::npos) << store.error().message();
  }
}

TEST(OpenObjectStore, a_bare_path_is_told_how_to_become_a_url) {
  for (const std::string path : {"/srv/models", "models", "./a:b"}) {
    const auto store = open_object_store(path, {});
    ASSERT_FALSE(store) << path;
    EXPECT_EQ(store.error().code(), Errc::invalid_argument);
    EXPECT_NE(store.error().message().find("dir:" + path), std::string::npos) << store.error().message();
  }
}

TEST(OpenObjectStore, a_missing_path_is_refused) {
  EXPECT_EQ(open_object_store("dir:", {}).error().code(), Errc::invalid_argument);
  EXPECT_EQ(open_object_store("dir:/no/such/place", {}).error().code(), Errc::not_found);
}

TEST(RemoteStack, counts_what_reaches_the_store_and_passes_everything_on) {
  TemporaryDirectory directory;
  SeededRandom random(test_seed());
  RemoteStack stack(*open_object_store("dir:" + directory.path().string(), {}), {}, system_clock(), random);
  ASSERT_TRUE(stack.objects().put_if_absent("key", as_bytes("v"), test_context(Cause::write_back)));
  ASSERT_TRUE(stack.objects().get("key", {}, test_context()));
  EXPECT_EQ(stack.metrics().of(ObjectOperation::put_if_absent, Cause::write_back).requests, 1);
  EXPECT_EQ(stack.metrics().of(ObjectOperation::get, Cause::demand).bytes, 1);
  EXPECT_EQ(stack.retries(), 0);
  EXPECT_EQ(stack.waiting(), 0);
  EXPECT_TRUE(stack.objects().describe().starts_with("dir:/"));
}

}  // namespace cairn
