#include <thread>

#include "fs/kept_identity.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;

// Closes that fail on one host, and what becomes of their bytes.
class KeptDrafts : public testing::Test {
 protected:
  // Nothing of host-a reaches the store.
  void cut_off() { a_objects.add({.operation = ObjectOperation::put_if_absent, .times = kEveryTime}); }
  HandleId open(const std::string& path, int flags) {
    const auto handle = a.open(path, flags);
    EXPECT_TRUE(handle) << path << ": " << handle.error().to_string();
    return handle.value_or(0);
  }
  // Opens, writes and closes, which fails.
  void fail_to_save(const std::string& path, std::string_view content, int flags = O_WRONLY | O_TRUNC) {
    const HandleId handle = open(path, flags);
    ASSERT_TRUE(a.pwrite(handle, 0, content));
    cut_off();
    EXPECT_EQ(errno_of(a.close(handle)), EIO);
  }
  // Waits for the retries in the background.
  bool reaches(const std::function<bool()>& holds) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool all_published() {
    return reaches([&] { return a.files().stats().kept_drafts == 0; });
  }
  bool is_undecided(const std::string& path) {
    return reaches([&] {
      const auto kept = a.files().unpublished();
      return kept.size() == 1 && kept[0].path == path && kept[0].state == "undecided";
    });
  }
  // What the store says of a name, oldest first.
  std::vector<std::string> history(const std::string& name) {
    TestHost reader(store.objects(), {.host = "reader"});
    std::vector<std::string> contents;
    const auto numbers = reader.list(".versions/" + name);
    for (const std::string& number : numbers ? *numbers : std::vector<std::string>()) {
      contents.push_back(content_or_error(reader.read(".versions/" + name + "/" + number)));
    }
    return contents;
  }

  std::string read(TestHost& host, const std::string& path) { return content_or_error(host.read(path)); }

  TestStore store;
  FaultyObjectStore a_objects{store.objects()};
  TestHost a{a_objects, {.host = "host-a"}};
  TestHost b{store.objects(), {.host = "host-b"}};
};

TEST_F(KeptDrafts, the_next_writer_does_not_change_what_is_kept) {
  ASSERT_TRUE(a.write("f", "old"));
  const std::string kept(200000, 'A');
  fail_to_save("f", kept);
  const HandleId handle = open("f", O_WRONLY | O_TRUNC);
  ASSERT_TRUE(a.pwrite(handle, 0, std::string(50000, 'B')));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), kept);
}

TEST_F(KeptDrafts, a_writer_that_goes_on_after_a_failed_fsync_forks_what_is_kept) {
  const HandleId handle = open("f", O_RDWR | O_CREAT);
  ASSERT_TRUE(a.pwrite(handle, 0, "first, and kept"));
  cut_off();
  EXPECT_EQ(errno_of(a.files().sync(handle, test_context())), EIO);
  ASSERT_TRUE(a.pwrite(handle, 0, "FIRST"));
  EXPECT_EQ(content_or_error(a.read(handle)), "FIRST, and kept");
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), "first, and kept");
}

TEST_F(KeptDrafts, what_is_not_closed_is_not_published_by_the_retry) {
  fail_to_save("f", "closed", O_WRONLY | O_CREAT);
  const HandleId handle = open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(handle, 0, "OPEN"));
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), "closed");
  EXPECT_TRUE(a.close(handle));
  EXPECT_EQ(read(b, "f"), "OPENed");
}

TEST_F(KeptDrafts, a_retry_lets_go_of_what_it_published_and_of_nothing_newer) {
  const HandleId first = open("f", O_WRONLY | O_CREAT);
  const HandleId second = open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(first, 0, "one"));
  cut_off();
  EXPECT_FALSE(a.close(first));
  const auto gate = std::make_shared<Gate>();
  a_objects.heal();
  a_objects.add({.operation = ObjectOperation::put_if_absent,
                 .key_prefix = "dirs/",
                 .times = kEveryTime,
                 .effect = FaultEffect::block,
                 .gate = gate});
  ASSERT_TRUE(gate->wait_for_arrivals(1));  // "one" is being committed
  ASSERT_TRUE(a.pwrite(second, 0, "TWO, which is longer"));
  std::stop_source stop;
  stop.request_stop();
  auto context = test_context();
  context.stop = stop.get_token();
  EXPECT_EQ(errno_of(a.files().flush(second, context)), EINTR);
  a.files().release(second);
  EXPECT_EQ(a.files().stats().kept_drafts, 2U);
  gate->open();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(a, "f"), "TWO, which is longer");
  EXPECT_EQ(read(b, "f"), "TWO, which is longer");
}

TEST_F(KeptDrafts, a_late_publication_goes_behind_what_another_host_saved) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "late");
  ASSERT_TRUE(b.write("f", "newer"));
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), "newer");
  EXPECT_EQ(read(a, "f"), "newer");
  EXPECT_THAT(history("f"), ElementsAre("base", "late", "newer"));
}

TEST_F(KeptDrafts, a_restart_does_not_make_a_late_publication_current_either) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "late");
  ASSERT_TRUE(b.write("f", "newer"));
  a.kill_and_restart();
  EXPECT_EQ(read(a, "f"), "newer");
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_THAT(history("f"), ElementsAre("base", "late", "newer"));
}

TEST_F(KeptDrafts, two_of_one_file_are_published_whole_and_in_order) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "first");
  fail_to_save("f", "second");
  EXPECT_EQ(a.files().stats().kept_drafts, 2U);
  EXPECT_EQ(read(a, "f"), "second");
  a.kill_and_restart();
  EXPECT_EQ(read(a, "f"), "second");
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), "second");
  EXPECT_EQ(history("f").back(), "second");
}

TEST_F(KeptDrafts, two_of_one_file_go_behind_a_newer_one_in_order) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "first");
  fail_to_save("f", "second");
  ASSERT_TRUE(b.write("f", "newer"));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(all_published());
  const auto versions = history("f");
  EXPECT_EQ(versions.back(), "newer");
  EXPECT_THAT(versions, ::testing::UnorderedElementsAre("base", "first", "second", "newer"));
}

TEST_F(KeptDrafts, a_later_close_that_succeeds_stays_current) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "kept");
  a_objects.heal();
  ASSERT_TRUE(a.write("f", "saved"));
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), "saved");
  EXPECT_EQ(history("f").back(), "saved");
}

TEST_F(KeptDrafts, a_commit_whose_success_nobody_heard_of_is_not_done_again) {
  ASSERT_TRUE(a.write("f", "base"));
  const HandleId handle = open("f", O_WRONLY | O_TRUNC);
  ASSERT_TRUE(a.pwrite(handle, 0, "saved"));
  a_objects.add({.operation = ObjectOperation::put_if_absent,
                 .key_prefix = "dirs/",
                 .times = 1,
                 .effect = FaultEffect::fail_after});
  a_objects.add({.operation = ObjectOperation::get, .times = kEveryTime});
  a_objects.add({.operation = ObjectOperation::list, .times = kEveryTime});
  EXPECT_FALSE(a.close(handle));
  ASSERT_TRUE(b.write("f", "newer"));
  a_objects.heal();
  a.kill_and_restart();
  EXPECT_TRUE(all_published());
  EXPECT_THAT(history("f"), ElementsAre("base", "saved", "newer"));
}

TEST_F(KeptDrafts, of_a_deleted_file_goes_into_its_history_and_the_file_stays_deleted) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "late");
  ASSERT_TRUE(b.unlink("f"));
  a.kill_and_restart();
  ASSERT_TRUE(b.write("other", "commits the unlink"));
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(errno_of(b.stat("f")), ENOENT);
  EXPECT_THAT(history("f"), ElementsAre("base", "late"));
}

TEST_F(KeptDrafts, of_a_new_file_whose_name_is_taken_waits_for_a_decision) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(a.pwrite(handle, 0, "mine"));
  cut_off();
  EXPECT_EQ(errno_of(a.close(handle)), EIO);
  ASSERT_TRUE(b.write("f", "theirs"));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(is_undecided("f"));
  EXPECT_EQ(read(a, "f"), "theirs");
  EXPECT_EQ(read(b, "f"), "theirs");
  const auto number = a.files().unpublished()[0].number;
  TemporaryDirectory local;
  ASSERT_TRUE(a.files().export_kept(number, local.path() / "out", test_context()));
  EXPECT_EQ(std::filesystem::file_size(local.path() / "out"), 4U);
  EXPECT_EQ(a.files().export_kept(number, local.path() / "out", test_context()).error().code(), Errc::already_exists);
  EXPECT_FALSE(a.files().discard_kept(number + 1));
  EXPECT_TRUE(a.files().discard_kept(number));
  EXPECT_TRUE(a.files().unpublished().empty());
}

TEST_F(KeptDrafts, whose_directory_is_gone_waits_for_a_decision) {
  ASSERT_TRUE(a.mkdir("d"));
  const HandleId handle = open("d/f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(a.pwrite(handle, 0, "mine"));
  cut_off();
  EXPECT_EQ(errno_of(a.close(handle)), EIO);
  ASSERT_TRUE(b.rmdir("d"));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(is_undecided("d/f"));
}

TEST_F(KeptDrafts, a_directory_that_takes_the_name_stays) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "late");
  ASSERT_TRUE(b.unlink("f"));
  ASSERT_TRUE(b.mkdir("f"));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(is_undecided("f"));
  EXPECT_EQ(b.stat("f")->attributes.kind, Kind::directory);
}

TEST_F(KeptDrafts, of_a_file_that_has_another_owner_by_now_waits_for_a_decision) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "late");
  ASSERT_TRUE(b.set_attributes("f", {.uid = 1000}));
  ASSERT_TRUE(b.write("other", "commits the chown"));
  a_objects.heal();
  EXPECT_TRUE(is_undecided("f"));
  EXPECT_EQ(read(b, "f"), "base");
}

TEST_F(KeptDrafts, another_owners_file_is_not_overwritten_by_a_close) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(b.write("f", "theirs"));
  ASSERT_TRUE(b.set_attributes("f", {.uid = 1000}));
  ASSERT_TRUE(b.write("other", "commits the chown"));
  ASSERT_TRUE(a.pwrite(handle, 0, "mine"));
  EXPECT_EQ(errno_of(a.close(handle)), EEXIST);
  EXPECT_EQ(read(b, "f"), "theirs");
}

TEST_F(KeptDrafts, closes_that_fail_at_the_same_time_leave_a_draft_that_is_found_again) {
  const HandleId one = open("f", O_WRONLY | O_CREAT);
  const HandleId two = open("f", O_WRONLY);
  ASSERT_TRUE(a.pwrite(one, 0, "precious"));
  cut_off();
  {
    const auto flush_often = [&](HandleId handle) {
      for (int i = 0; i < 30; ++i) EXPECT_FALSE(a.files().flush(handle, test_context()));
    };
    const std::jthread first(flush_often, one);
    const std::jthread second(flush_often, two);
  }
  a.kill_and_restart();
  EXPECT_EQ(a.files().stats().kept_drafts, 1U);
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), "precious");
}

TEST_F(KeptDrafts, one_that_is_renamed_over_is_left_to_a_person) {
  ASSERT_TRUE(a.write("f", "base"));
  ASSERT_TRUE(a.write("fresh", "fresh"));
  fail_to_save("f", "late");
  a_objects.heal();
  ASSERT_TRUE(a.rename("fresh", "f"));
  EXPECT_EQ(read(a, "f"), "fresh");
  EXPECT_EQ(read(b, "f"), "fresh");
}

TEST_F(KeptDrafts, an_open_that_truncates_needs_nothing_of_the_old_version) {
  ASSERT_TRUE(a.write("big", std::string((64U << 10) * 20, 'x')));
  const auto manifests = store.objects().list("manifests/", {}, 10, test_context());
  ASSERT_TRUE(manifests && !manifests->objects.empty());
  std::vector<std::string> keys;
  for (const ObjectInfo& object : manifests->objects) keys.push_back(object.key);
  ASSERT_TRUE(store.objects().remove(keys, test_context()));
  EXPECT_TRUE(b.write("big", "fresh content"));
  EXPECT_EQ(read(b, "big"), "fresh content");
}

// A host whose cache directory was used with another store.
TEST(KeptDraftsOfTwoStores, one_stays_with_its_store) {
  const auto staging = std::make_shared<TemporaryDirectory>();
  TestStore one;
  TestStore two;
  const auto keep_one = [&] {
    TestEnvironment world(one.objects(), {}, staging);
    world.environment().format.store_id = "one";
    ChunkReader reader(world.environment());
    ChunkWriter writer(world.environment());
    auto draft = Draft::open(world.environment(), reader, writer, nullptr).value();
    ASSERT_TRUE(draft->write(0, as_bytes(std::string_view("of one"))));
    KeptIdentity identity;
    identity.directory = kRootId;
    identity.name = identity.path = "f";
    identity.file.id = 77;
    identity.session = 5;
    identity.published = identity.mtime = 1;
    ASSERT_TRUE(draft->keep(identity.to_json()));
  };
  const auto mounted = [&](TestStore& store, const std::string& id, const auto& check) {
    TestEnvironment world(store.objects(), {}, staging);
    world.environment().format.store_id = id;
    ChunkReader reader(world.environment());
    ChunkWriter writer(world.environment());
    auto files = StoreFileSystem::open(world.environment(), reader, writer, test_context()).value();
    check(*files);
  };
  keep_one();
  mounted(two, "two", [](StoreFileSystem& files) {
    ASSERT_EQ(files.unpublished().size(), 1U);
    EXPECT_EQ(files.unpublished()[0].state, "other store");
    EXPECT_TRUE(files.shut_down(test_context()));
    EXPECT_EQ(files.unpublished().size(), 1U);
    EXPECT_FALSE(files.lookup(kRootNode, "f", test_context()));
  });
  mounted(one, "one", [](StoreFileSystem& files) {
    EXPECT_TRUE(files.shut_down(test_context()));
    EXPECT_TRUE(files.unpublished().empty());
    EXPECT_TRUE(files.lookup(kRootNode, "f", test_context()));
  });
}

// Two publications of one open file with another host's between them: the later one is what the third was written on.
TEST_F(KeptDrafts, one_that_was_written_on_what_is_current_becomes_current_though_its_session_stands_in_the_history) {
  const HandleId handle = open("f", O_RDWR | O_CREAT);
  ASSERT_TRUE(a.pwrite(handle, 0, "a1"));
  ASSERT_TRUE(a.files().sync(handle, test_context()));
  ASSERT_TRUE(b.write("f", "b1"));
  ASSERT_TRUE(a.pwrite(handle, 0, "a2"));
  ASSERT_TRUE(a.files().sync(handle, test_context()));
  ASSERT_TRUE(a.pwrite(handle, 0, "a3"));
  cut_off();
  EXPECT_EQ(errno_of(a.close(handle)), EIO);
  a_objects.heal();
  EXPECT_TRUE(all_published());
  EXPECT_EQ(read(b, "f"), "a3");
  EXPECT_EQ(read(a, "f"), "a3");
}

TEST_F(KeptDrafts, what_is_written_while_a_close_publishes_is_found_after_a_crash) {
  const HandleId first = open("f", O_WRONLY | O_CREAT);
  const HandleId second = open("f", O_WRONLY);
  ASSERT_TRUE(a.files().sync_directory(kRootNode, test_context()));
  ASSERT_TRUE(a.pwrite(first, 0, "closed"));
  const auto gate = a_objects.block(ObjectOperation::put_if_absent, "dirs/");
  Result<void> closed;
  std::thread closer([&] { closed = a.files().flush(first, test_context()); });
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  ASSERT_TRUE(a.pwrite(second, 0, "written and not closed"));
  gate->open();
  closer.join();
  ASSERT_TRUE(closed);
  EXPECT_EQ(read(b, "f"), "closed");
  a.crash_and_restart();
  const auto kept = a.files().unpublished();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].state, "never closed");
  EXPECT_EQ(kept[0].size_bytes, 22U);
}

// The create is in the store, and nothing is left of an empty file that was deleted or moved away.
TEST_F(KeptDrafts, of_a_new_file_that_another_host_has_deleted_waits_for_a_decision) {
  const HandleId handle = open("f", O_WRONLY | O_CREAT);
  ASSERT_TRUE(a.files().sync_directory(kRootNode, test_context()));
  ASSERT_TRUE(a.pwrite(handle, 0, "late"));
  cut_off();
  EXPECT_EQ(errno_of(a.close(handle)), EIO);
  ASSERT_TRUE(b.unlink("f"));
  ASSERT_TRUE(b.files().sync_directory(kRootNode, test_context()));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(is_undecided("f"));
  EXPECT_EQ(errno_of(b.stat("f")), ENOENT);
}

TEST_F(KeptDrafts, undecided_ones_stay_so_after_a_restart_until_a_person_publishes_them) {
  ASSERT_TRUE(a.write("f", "base"));
  ASSERT_TRUE(a.write("g", "other"));
  fail_to_save("f", "late");
  a_objects.heal();
  a_objects.add({.operation = ObjectOperation::put_if_absent, .key_prefix = "chunks/", .times = kEveryTime});
  ASSERT_TRUE(b.rename("g", "f"));
  EXPECT_TRUE(is_undecided("f"));
  a.kill_and_restart();
  a_objects.heal();
  EXPECT_TRUE(is_undecided("f"));
  const uint64_t number = a.files().unpublished().at(0).number;
  EXPECT_EQ(errno_of(a.files().publish_kept(number, test_context())), EEXIST) << "another file has the name";
  ASSERT_TRUE(b.rename("f", "f.old"));
  EXPECT_TRUE(is_undecided("f"));
  ASSERT_TRUE(a.files().publish_kept(number, test_context()));
  EXPECT_EQ(read(b, "f"), "late");
  EXPECT_EQ(read(b, "f.old"), "other");
  EXPECT_TRUE(a.files().unpublished().empty());
}

TEST_F(KeptDrafts, a_rename_over_another_file_buries_nothing_that_another_host_saved_since) {
  for (const std::string name : {"f", "g"}) ASSERT_TRUE(a.write(name, "base"));
  fail_to_save("f", "late");
  a_objects.heal();
  ASSERT_TRUE(b.write("f", "newer"));
  ASSERT_TRUE(a.rename("f", "g"));
  EXPECT_EQ(read(b, "g"), "newer");
  EXPECT_TRUE(a.files().unpublished().empty());
}

TEST_F(KeptDrafts, a_decision_of_whose_commit_nobody_heard_is_carried_out_once) {
  ASSERT_TRUE(a.write("f", "base"));
  ASSERT_TRUE(a.write("g", "other"));
  fail_to_save("f", "late");
  ASSERT_TRUE(b.rename("g", "f"));
  a_objects.heal();
  EXPECT_TRUE(is_undecided("f"));
  ASSERT_TRUE(b.rename("f", "f.old"));
  EXPECT_EQ(read(a, "f.old"), "other");
  const uint64_t number = a.files().unpublished().at(0).number;
  // The record is put, and neither that nor what is there now is heard.
  a_objects.add(
      {.operation = ObjectOperation::put_if_absent, .key_prefix = "dirs/", .effect = FaultEffect::fail_after});
  a_objects.add({.operation = ObjectOperation::get, .key_prefix = "dirs/", .nth = 2, .times = kEveryTime});
  EXPECT_FALSE(a.files().publish_kept(number, test_context()));
  a_objects.heal();
  a.kill_and_restart();
  EXPECT_TRUE(a.files().publish_kept(number, test_context()));
  EXPECT_EQ(read(b, "f"), "late");
  EXPECT_EQ(b.list(".versions/f").value().size(), 2U) << "of the file before, and this one";
  EXPECT_TRUE(a.files().unpublished().empty());
}

TEST_F(KeptDrafts, what_was_never_closed_has_a_date_and_a_stamp_of_its_own_once_it_is_published) {
  for (const std::string name : {"f", "g"}) {
    const HandleId handle = open(name, O_WRONLY | O_CREAT);
    ASSERT_TRUE(a.files().sync_directory(kRootNode, test_context()));
    ASSERT_TRUE(a.pwrite(handle, 0, name));
  }
  a.crash_and_restart();
  ASSERT_EQ(a.files().unpublished().size(), 2U);
  for (const UnpublishedFile& file : a.files().unpublished()) {
    ASSERT_TRUE(a.files().publish_kept(file.number, test_context())) << file.path;
  }
  EXPECT_GT(b.stat("f")->attributes.ctime, 0);
  EXPECT_GT(b.stat("g")->attributes.ctime, 0);
  EXPECT_EQ(read(b, "f"), "f");
}

TEST_F(KeptDrafts, one_that_is_discarded_leaves_no_pages_of_its_own) {
  ASSERT_TRUE(a.write("f", "base"));
  fail_to_save("f", "late");
  std::vector<NodeId> told;
  a.files().set_change_sink([&](NodeId node, uint64_t) { told.push_back(node); });
  const NodeId node = a.stat("f")->node;
  ASSERT_TRUE(a.files().discard_kept(a.files().unpublished().at(0).number));
  EXPECT_THAT(told, ::testing::Contains(node));
  EXPECT_EQ(read(a, "f"), "base");
}

}  // namespace
}  // namespace cairn
