#include <thread>

#include "fs/kept_identity.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

class Publication : public OneHost {
 protected:
  // From here on nothing reaches the store.
  void cut_off() { objects.add({.operation = ObjectOperation::put_if_absent, .times = kEveryTime}); }

  // Waits for the retries in the background.
  bool all_published() {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (host.files().stats().kept_drafts > 0) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::yield();
    }
    return true;
  }
};

TEST_F(Publication, a_close_that_cannot_publish_says_so_and_keeps_the_bytes) {
  write("f", "old");
  const HandleId handle = open("f", O_WRONLY | O_TRUNC);
  ASSERT_TRUE(host.pwrite(handle, 0, "new"));
  cut_off();
  EXPECT_EQ(errno_of(host.close(handle)), EIO);
  EXPECT_EQ(host.files().stats().kept_drafts, 1U);
  EXPECT_EQ(host.counters().publish_failures, 1U);
  const auto kept = host.files().unpublished();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].path, "f");
  EXPECT_EQ(kept[0].size_bytes, 3U);
  EXPECT_FALSE(kept[0].error.empty());
  EXPECT_EQ(read("f"), "new");  // this host goes on with what it has
  objects.heal();
}

TEST_F(Publication, kept_bytes_are_published_once_the_store_is_back) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "new"));
  cut_off();
  EXPECT_FALSE(host.close(handle));
  objects.heal();
  EXPECT_TRUE(all_published());
  TestHost other(objects, {.host = "host-b"});
  EXPECT_EQ(content_or_error(other.read("f")), "new");
  EXPECT_EQ(host.files().stats().open_drafts, 0U);
}

TEST_F(Publication, kept_bytes_are_published_by_the_next_process) {
  ASSERT_TRUE(host.mkdir("d"));
  const HandleId handle = open("d/f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "survives"));
  ASSERT_TRUE(host.set_attributes("d/f", {.mode = 0600}));
  cut_off();
  EXPECT_FALSE(host.close(handle));
  host.kill_and_restart();
  EXPECT_EQ(host.files().stats().kept_drafts, 1U);
  objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read("d/f"), "survives");
  EXPECT_EQ(stat("d/f").mode, 0600U);
  TestHost other(objects, {.host = "host-b"});
  EXPECT_EQ(content_or_error(other.read("d/f")), "survives");
}

TEST_F(Publication, a_kept_file_that_is_unlinked_is_not_found_again) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "new"));
  cut_off();
  EXPECT_FALSE(host.close(handle));
  ASSERT_TRUE(host.unlink("f"));
  EXPECT_EQ(host.files().stats().kept_drafts, 0U);
  host.kill_and_restart();
  objects.heal();
  EXPECT_EQ(host.files().stats().kept_drafts, 0U);
  EXPECT_EQ(errno_of(host.stat("f")), ENOENT);
}

TEST_F(Publication, shut_down_publishes_what_is_still_open) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "open"));
  host.restart();
  EXPECT_EQ(read("f"), "open");
}

TEST_F(Publication, shut_down_keeps_what_it_cannot_publish) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "open"));
  cut_off();
  EXPECT_FALSE(host.files().shut_down(test_context()));
  objects.heal();
  host.kill_and_restart();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read("f"), "open");
}

TEST_F(Publication, an_interrupted_close_ends_and_its_bytes_follow_later) {
  const auto gate = std::make_shared<Gate>();
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(host.pwrite(handle, 0, "late"));
  objects.add(
      {.operation = ObjectOperation::put_if_absent, .times = kEveryTime, .effect = FaultEffect::block, .gate = gate});
  std::stop_source stop;
  std::jthread interrupter([&] {
    EXPECT_TRUE(gate->wait_for_arrivals(1));
    stop.request_stop();
  });
  auto context = test_context();
  context.stop = stop.get_token();
  EXPECT_EQ(errno_of(host.files().flush(handle, context)), EINTR);
  gate->open();
  host.files().release(handle);
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read("f"), "late");
}

TEST_F(Publication, an_interrupt_ends_the_wait_behind_another_publication) {
  const auto gate = std::make_shared<Gate>();
  const HandleId one = open("f", O_WRONLY | O_CREAT);
  const HandleId two = open("f", O_WRONLY);
  ASSERT_TRUE(host.pwrite(one, 0, "x"));
  objects.add(
      {.operation = ObjectOperation::put_if_absent, .times = kEveryTime, .effect = FaultEffect::block, .gate = gate});
  std::jthread first([&] { EXPECT_TRUE(host.close(one)); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  std::stop_source stop;
  stop.request_stop();
  auto context = test_context();
  context.stop = stop.get_token();
  EXPECT_EQ(errno_of(host.files().flush(two, context)), EINTR);
  gate->open();
  first.join();
  host.files().release(two);
  EXPECT_TRUE(all_published());
}

TEST_F(Publication, what_is_kept_says_where_it_belongs) {
  KeptIdentity identity;
  identity.directory = 0xfedcba9876543210;
  identity.name = "model \"é\".bin";
  identity.path = "a/model.bin";
  identity.file.id = 77;
  identity.file.attributes.mode = 0640;
  identity.session = 0xffffffffffffffff;
  identity.mtime = -5;
  const auto back = KeptIdentity::from_json(identity.to_json());
  ASSERT_TRUE(back) << back.error().to_string();
  EXPECT_EQ(back->directory, identity.directory);
  EXPECT_EQ(back->name, identity.name);
  EXPECT_EQ(back->path, identity.path);
  EXPECT_EQ(back->file.id, 77U);
  EXPECT_EQ(back->file.attributes.mode, 0640U);
  EXPECT_EQ(back->session, identity.session);
  EXPECT_EQ(back->mtime, -5);
}

TEST_F(Publication, a_damaged_identity_is_corrupt) {
  for (const std::string damaged : {"", "{", "[]", "{}", R"({"directory": "x"})"}) {
    const auto read_back = KeptIdentity::from_json(damaged);
    ASSERT_FALSE(read_back) << damaged;
    EXPECT_EQ(read_back.error().code(), Errc::corrupt);
  }
}

}  // namespace
}  // namespace cairn
