// Looking beside a commit of this host that is on its way.
#include <future>

#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {
namespace {

class DirectoryLookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    network().add({.operation = ObjectOperation::put_if_absent,
                   .key_prefix = "dirs/",
                   .times = 1,
                   .effect = FaultEffect::block,
                   .gate = put});
    directory = a.load();
    commit = std::async(std::launch::async, [this] { return directory->commit(creates("mine", 1), test_context()); });
    ASSERT_TRUE(put->wait_for_arrivals(1));
  }
  void TearDown() override { put->open(); }
  FaultyObjectStore& network() { return a.network; }

  TestStore store;
  Host a{store, "host-a"};
  Host b{store, "host-b"};
  const std::shared_ptr<Gate> put = std::make_shared<Gate>();
  std::shared_ptr<Directory> directory;
  std::future<Result<void>> commit;
};

TEST_F(DirectoryLookTest, a_look_does_not_wait_for_a_commit) {
  const uint64_t gets = a.gets();
  EXPECT_OK(directory->refresh(std::chrono::nanoseconds(0), test_context()));
  EXPECT_EQ(a.gets(), gets + 1);
  put->open();
  EXPECT_OK(commit.get());
}

TEST_F(DirectoryLookTest, what_a_look_has_learned_serves_those_who_come_soon_after) {
  EXPECT_OK(directory->refresh(std::chrono::nanoseconds(0), test_context()));
  const uint64_t gets = a.gets();
  EXPECT_OK(directory->refresh(std::chrono::seconds(1), test_context()));
  EXPECT_EQ(a.gets(), gets);
}

TEST_F(DirectoryLookTest, many_look_at_once) {
  std::vector<std::future<Result<void>>> looks;
  for (int i = 0; i < 16; ++i) {
    looks.push_back(std::async(std::launch::async,
                               [this] { return directory->refresh(std::chrono::nanoseconds(0), test_context()); }));
  }
  for (auto& look : looks) EXPECT_OK(look.get());
}

TEST_F(DirectoryLookTest, a_look_that_finds_another_hosts_record_waits_until_it_is_read) {
  EXPECT_OK(b.load()->commit(creates("theirs", 2), test_context()));
  auto look = std::async(std::launch::async,
                         [this] { return directory->refresh(std::chrono::nanoseconds(0), test_context()); });
  put->open();
  EXPECT_OK(look.get());
  EXPECT_TRUE(directory->find("theirs"));
  EXPECT_OK(commit.get());
}

TEST_F(DirectoryLookTest, a_look_that_is_not_answered_fails_and_the_commit_goes_on) {
  network().add({.operation = ObjectOperation::get, .key_prefix = "dirs/"});
  EXPECT_FAILS(directory->refresh(std::chrono::nanoseconds(0), test_context()), Errc::unavailable);
  put->open();
  EXPECT_OK(commit.get());
}

}  // namespace
}  // namespace cairn
