// Moves and exchanges between directories whose host dies between the two records, while others use both names.
#include <functional>

#include "remote/decorators/retrying_object_store.h"
#include "store/check/check.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

constexpr const char* kMoved = "content of x";
constexpr const char* kReplaced = "precious y";

class HalfDoneExchangeTest : public testing::Test {
 protected:
  HalfDoneExchangeTest() {
    EXPECT_TRUE(a.mkdir("S"));
    EXPECT_TRUE(a.mkdir("T"));
    EXPECT_TRUE(a.write("S/x", kMoved));
    EXPECT_TRUE(a.write("T/y", kReplaced));
  }
  void die_between_the_records_of(RenameMode mode, const std::string& to) {
    network.add(
        {.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .effect = FaultEffect::crash_after});
    (void)a.rename("S/x", to, mode);
  }
  // How often some file anywhere, histories apart, has this content.
  static int count(TestHost& host, const std::string& content, const std::string& path = "") {
    const auto names = host.list(path);
    if (!names) return 0;
    int found = 0;
    for (const std::string& name : *names) {
      const std::string below = path.empty() ? name : path + "/" + name;
      const auto kind = host.stat(below)->attributes.kind;
      if (kind == Kind::directory) found += count(host, content, below);
      if (kind == Kind::file && content_or_error(host.read(below)) == content) ++found;
    }
    return found;
  }
  bool is_clean() {
    const auto report = check_store(store.objects(), {.read_data = true, .progress = {}}, test_context());
    return report && report->clean();
  }

  TestStore store;
  FaultyObjectStore network{store.objects()};
  TestHost a{network, {.host = "host-a"}};
};

TEST_F(HalfDoneExchangeTest, a_new_file_under_the_marked_name_does_not_bury_the_replaced_one) {
  TestHost b{store.objects(), {.host = "host-b"}};
  const auto held = b.hold("T");
  die_between_the_records_of(RenameMode::exchange, "T/y");
  EXPECT_TRUE(b.unlink("T/y"));
  EXPECT_TRUE(b.write("T/y", "new at y"));
  b.files().forget(held->node, 1);
  b.restart();
  TestHost c{store.objects(), {.host = "host-c"}};
  EXPECT_EQ(content_or_error(c.read("T/y")), "new at y");
  EXPECT_EQ(content_or_error(c.read("S/x")), kReplaced);
  EXPECT_EQ(content_or_error(c.read("T/.versions/y/1")), kMoved);
  c.restart();
  EXPECT_TRUE(is_clean());
}

TEST_F(HalfDoneExchangeTest, a_moved_file_that_is_unlinked_and_made_anew_leaves_its_old_name) {
  TestHost b{store.objects(), {.host = "host-b"}};
  const auto held = b.hold("T");
  die_between_the_records_of(RenameMode::replace, "T/x");
  EXPECT_TRUE(b.unlink("T/x"));
  EXPECT_TRUE(b.write("T/x", "another"));
  b.files().forget(held->node, 1);
  b.restart();
  TestHost c{store.objects(), {.host = "host-c"}};
  EXPECT_TRUE(c.list("T"));
  EXPECT_EQ(errno_of(c.stat("S/x")), ENOENT);
  EXPECT_EQ(content_or_error(c.read("T/x")), "another");
}

TEST_F(HalfDoneExchangeTest, a_source_name_that_is_taken_meanwhile_gets_the_replaced_file_beside_it) {
  TestHost b{store.objects(), {.host = "host-b"}};
  const auto held = b.hold("S");
  die_between_the_records_of(RenameMode::exchange, "T/y");
  EXPECT_TRUE(b.unlink("S/x"));
  EXPECT_TRUE(b.write("S/x", "taken"));
  b.files().forget(held->node, 1);
  b.restart();
  TestHost c{store.objects(), {.host = "host-c"}};
  EXPECT_TRUE(c.list("T"));
  EXPECT_EQ(content_or_error(c.read("T/y")), kMoved);
  EXPECT_EQ(content_or_error(c.read("S/x")), "taken");
  const auto names = c.list("S");
  ASSERT_EQ(names->size(), 2U);
  EXPECT_TRUE(names->back().starts_with("x.~exchanged-")) << names->back();
  EXPECT_EQ(content_or_error(c.read("S/" + names->back())), kReplaced);
}

TEST_F(HalfDoneExchangeTest, a_source_that_is_removed_meanwhile_leaves_the_replaced_file_in_the_target) {
  TestHost b{store.objects(), {.host = "host-b"}};
  const auto held = b.hold("S");
  die_between_the_records_of(RenameMode::exchange, "T/y");
  EXPECT_TRUE(b.unlink("S/x"));
  EXPECT_TRUE(b.rmdir("S"));
  b.files().forget(held->node, 1);
  TestHost c{store.objects(), {.host = "host-c"}};
  EXPECT_EQ(count(c, kMoved), 1);
  EXPECT_EQ(count(c, kReplaced), 1);
}

TEST_F(HalfDoneExchangeTest, whatever_another_host_does_in_between_each_file_is_there_once) {
  using Act = std::function<void(TestHost&)>;
  const std::vector<std::pair<const char*, Act>> acts = {
      {"rename the target away", [](TestHost& b) { (void)b.rename("T/y", "T/z"); }},
      {"rename the target to the root", [](TestHost& b) { (void)b.rename("T/y", "z"); }},
      {"rename the source away", [](TestHost& b) { (void)b.rename("S/x", "S/z"); }},
      {"exchange the target", [](TestHost& b) { (void)b.rename("T/y", "T/other", RenameMode::exchange); }},
      {"exchange both back", [](TestHost& b) { (void)b.rename("T/y", "S/x", RenameMode::exchange); }},
      {"make a directory at the source", [](TestHost& b) { (void)(b.unlink("S/x"), b.mkdir("S/x")); }},
      {"link over the source", [](TestHost& b) { (void)(b.unlink("S/x"), b.symlink("nowhere", "S/x")); }},
      {"remove the target", [](TestHost& b) { (void)b.rmdir("T"); }},
  };
  for (const auto& [what, act] : acts) {
    SCOPED_TRACE(what);
    TestStore fresh;
    FaultyObjectStore wire(fresh.objects());
    TestHost dying(wire, {.host = "host-dying"});
    for (const char* directory : {"S", "T"}) EXPECT_TRUE(dying.mkdir(directory));
    EXPECT_TRUE(dying.write("S/x", kMoved));
    EXPECT_TRUE(dying.write("T/y", kReplaced));
    EXPECT_TRUE(dying.write("T/other", "other"));
    TestHost b(fresh.objects(), {.host = "host-b"});
    const auto s = b.hold("S");
    const auto t = b.hold("T");
    wire.add({.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .effect = FaultEffect::crash_after});
    (void)dying.rename("S/x", "T/y", RenameMode::exchange);
    act(b);
    b.files().forget(s->node, 1);
    b.files().forget(t->node, 1);
    b.restart();
    TestHost c(fresh.objects(), {.host = "host-c"});
    EXPECT_TRUE(c.list("T"));
    c.restart();
    EXPECT_EQ(count(c, kMoved), 1);
    EXPECT_EQ(count(c, kReplaced), 1);
    const auto report = check_store(fresh.objects(), {.read_data = true, .progress = {}}, test_context());
    EXPECT_TRUE(report && report->clean());
  }
}

TEST(UnheardPutTest, an_exclusive_create_that_went_through_unheard_is_its_own_despite_a_refusal) {
  TestStore store;
  FaultyObjectStore network{store.objects()};
  SeededRandom random(1);
  RetryingObjectStore retrying(network, RetryPolicy{.first_wait = std::chrono::nanoseconds(1)}, random);
  TestHost a{retrying, {.host = "host-a"}};
  network.add({.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .effect = FaultEffect::fail_after});
  network.add(
      {.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .nth = 2, .error = Errc::permission_denied});
  const auto lock = a.open("lock", O_WRONLY | O_CREAT | O_EXCL);
  EXPECT_TRUE(lock) << lock.error().to_string();
}

}  // namespace
}  // namespace cairn
