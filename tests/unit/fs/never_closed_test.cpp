#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

// What was being written when the process ended.
class NeverClosed : public OneHost {
 protected:
  void crash_while_writing(TestHost& on, const std::string& path, const std::string& content) {
    const auto handle = on.open(path, O_WRONLY | O_CREAT | O_TRUNC);
    ASSERT_TRUE(handle);
    ASSERT_TRUE(on.pwrite(*handle, 0, content));
    on.crash_and_restart();
  }
  static std::vector<std::string> never_closed(TestHost& on) {
    std::vector<std::string> paths;
    for (const UnpublishedFile& file : on.files().unpublished()) {
      EXPECT_EQ(file.state, "never closed");
      paths.push_back(file.path);
    }
    return paths;
  }
};

TEST_F(NeverClosed, is_listed_and_exported_and_never_published_by_itself) {
  write("f", "published");
  const std::string content(100000, 'n');
  crash_while_writing(host, "f", content);
  ASSERT_EQ(never_closed(host), std::vector<std::string>{"f"});
  EXPECT_EQ(read("f"), "published");
  host.restart();
  EXPECT_EQ(read("f"), "published");
  const uint64_t number = host.files().unpublished().at(0).number;
  TemporaryDirectory elsewhere;
  const std::string out = elsewhere.path() / "out";
  ASSERT_TRUE(host.files().export_kept(number, out, test_context()));
  EXPECT_EQ(std::filesystem::file_size(out), content.size());
  ASSERT_TRUE(host.files().publish_kept(number, test_context()));
  EXPECT_EQ(read("f"), content);
  EXPECT_TRUE(never_closed(host).empty());
}

TEST_F(NeverClosed, is_given_up_after_30_days) {
  crash_while_writing(host, "f", "content");
  host.clock().advance(std::chrono::days(29));
  host.restart();
  EXPECT_EQ(never_closed(host).size(), 1U);
  host.clock().advance(std::chrono::days(2));
  host.restart();
  EXPECT_TRUE(never_closed(host).empty());
}

TEST_F(NeverClosed, the_oldest_go_after_a_day_where_they_take_more_than_half_of_the_bound) {
  TestHost small(objects, {.host = "small", .staging_bytes = 400U << 10});
  for (const char* name : {"a", "b", "c"}) crash_while_writing(small, name, std::string(90U << 10, 'x'));
  EXPECT_EQ(never_closed(small).size(), 3U);
  small.clock().advance(std::chrono::hours(25));
  small.restart();
  EXPECT_EQ(never_closed(small), (std::vector<std::string>{"b", "c"}));
}

TEST_F(NeverClosed, what_a_close_has_kept_is_given_up_for_no_bound) {
  TestHost small(objects, {.host = "small", .staging_bytes = 400U << 10});
  const auto handle = small.open("kept", O_WRONLY | O_CREAT);
  ASSERT_TRUE(small.pwrite(*handle, 0, std::string(300U << 10, 'k')));
  objects.add({.operation = ObjectOperation::put_if_absent, .times = kEveryTime});
  EXPECT_EQ(errno_of(small.close(*handle)), EIO);
  small.crash_and_restart();
  ASSERT_EQ(small.files().unpublished().size(), 1U);
  EXPECT_EQ(small.files().unpublished()[0].state, "waiting");
}

}  // namespace
}  // namespace cairn
