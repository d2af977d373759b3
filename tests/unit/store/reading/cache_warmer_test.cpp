// Whole files into the cache.
#include "store/reading/cache_warmer.h"

#include <gtest/gtest.h>

#include "tests/support/test_host.h"

namespace cairn {
namespace {

TEST(CacheWarmer, others_see_its_progress_while_it_waits_for_a_chunk_list) {
  TestStore store;
  {
    TestHost writer(store.objects());
    const Buffer content = random_bytes(3 << 20, test_seed());  // more chunks than an entry lists
    ASSERT_TRUE(writer.write("long", as_text(content.view())));
    ASSERT_TRUE(writer.write("short", as_text(content.view().first(100'000))));
  }
  FaultyObjectStore network(store.objects());
  TestEnvironment host(network);
  const auto root = Directory::load(host.environment(), kRootId, test_context());
  ASSERT_TRUE(root);
  ChunkReader reader(host.environment());
  const auto gate = network.block(ObjectOperation::get, "manifests/");

  CacheWarmer warmer(host.environment(), reader, {});
  const auto report = warmer.run({(*root)->find("long")->current(), (*root)->find("short")->current()},
                                 [&](const CacheWarmer::Counts& now) {
                                   if (now.fetched_bytes == 100'000) gate->open();
                                 });
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_TRUE(report->failures.empty());
  EXPECT_EQ(report->counts.files_done, 2U);
  EXPECT_EQ(report->counts.fetched_bytes + report->counts.present_bytes, (3U << 20) + 100'000);
}

}  // namespace
}  // namespace cairn
