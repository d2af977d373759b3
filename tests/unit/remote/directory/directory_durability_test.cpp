// The order of syncs, crashes between any two steps, and file systems that are full, read-only or short of features.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "remote/directory/directory_object_store.h"
#include "remote/directory/temporary_object.h"
#include "tests/support/test_environment.h"
#include "tests/unit/remote/directory/observed_calls.h"

namespace cairn {

namespace fs = std::filesystem;
using Calls = std::vector<std::string>;

class DirectoryDurability : public testing::Test {
 protected:
  std::unique_ptr<DirectoryObjectStore> open() {
    auto store = DirectoryObjectStore::open({root_.string()});
    EXPECT_TRUE(store) << (store ? "" : store.error().to_string());
    return store ? std::move(*store) : nullptr;
  }
  Result<void> put(const std::string& key, std::string_view text = "v") {
    return store_->put_if_absent(key, as_bytes(text), test_context());
  }
  bool exists(const std::string& key) { return store_->head(key, test_context()).has_value(); }
  size_t temporaries() const {
    if (!fs::exists(root_ / "+tmp")) return 0;
    return static_cast<size_t>(std::distance(fs::directory_iterator(root_ / "+tmp"), fs::directory_iterator()));
  }
  // A process that dies at the first call that begins with `call`.
  void crash_at(std::string_view call) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      observed_.spoil([&](std::string_view made) {
        if (made.starts_with(call)) _exit(77);
        return 0;
      });
      std::ignore = put("d/key", std::string(100'000, 'x'));
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(WEXITSTATUS(status), 77);
  }

  TemporaryDirectory directory_;
  const fs::path root_ = fs::canonical(directory_.path());
  ObservedCalls observed_{root_.string()};
  std::unique_ptr<DirectoryObjectStore> store_ = open();
};

TEST_F(DirectoryDurability, bytes_are_synced_before_the_name_and_the_folder_after_it) {
  ASSERT_TRUE(put("d/first"));
  observed_.forget();
  ASSERT_TRUE(put("d/key"));
  EXPECT_EQ(observed_.calls(), (Calls{"fdatasync +tmp/…", "link d/key", "fsync d"}));
}

TEST_F(DirectoryDurability, new_folders_are_durable_before_anything_is_in_them) {
  ASSERT_TRUE(put("chunks/ab/key"));
  EXPECT_EQ(observed_.calls(),
            (Calls{"fsync .", "fsync chunks", "fdatasync +tmp/…", "link chunks/ab/key", "fsync chunks/ab"}));
}

TEST_F(DirectoryDurability, folders_made_by_others_are_synced_once_too) {
  fs::create_directories(root_ / "chunks/ab");
  ASSERT_TRUE(put("chunks/ab/one"));
  ASSERT_TRUE(put("chunks/ab/two"));
  const Calls calls = observed_.calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "fsync ."), 1);
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "fsync chunks"), 1);
}

TEST_F(DirectoryDurability, a_put_of_what_is_there_writes_no_data_but_makes_sure_it_stays) {
  ASSERT_TRUE(put("d/key"));
  observed_.forget();
  EXPECT_EQ(put("d/key").error().code(), Errc::already_exists);
  EXPECT_EQ(observed_.calls(), Calls{"fsync d"});
}

TEST_F(DirectoryDurability, a_removal_is_synced) {
  ASSERT_TRUE(put("d/key"));
  observed_.forget();
  ASSERT_TRUE(store_->remove({"d/key"}, test_context()));
  EXPECT_EQ(observed_.calls(), Calls{"fsync d"});
}

TEST_F(DirectoryDurability, bytes_that_cannot_be_synced_never_get_a_name) {
  observed_.spoil([](std::string_view call) { return call.starts_with("fdatasync") ? EIO : 0; });
  const auto failed = put("d/key");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::io);
  EXPECT_FALSE(exists("d/key"));
  EXPECT_EQ(temporaries(), 0);
}

TEST_F(DirectoryDurability, a_put_whose_folder_cannot_be_synced_fails) {
  ASSERT_TRUE(put("d/first"));
  observed_.spoil([](std::string_view call) { return call == "fsync d" ? EIO : 0; });
  EXPECT_EQ(put("d/key").error().code(), Errc::io);
  EXPECT_EQ(put("d/first").error().code(), Errc::io);  // nor may "already there" be relied on
}

TEST_F(DirectoryDurability, a_file_system_without_fsync_of_folders_is_good_enough) {
  observed_.spoil([](std::string_view call) { return call.starts_with("fsync") ? EINVAL : 0; });
  EXPECT_TRUE(put("d/key"));
}

TEST_F(DirectoryDurability, a_file_system_without_links_renames) {
  for (const int unsupported : {EPERM, EOPNOTSUPP, ENOSYS}) {
    const std::string key = "d/" + std::to_string(unsupported);
    observed_.spoil([=](std::string_view call) { return call.starts_with("link") ? unsupported : 0; });
    EXPECT_TRUE(put(key, "bytes"));
    EXPECT_TRUE(exists(key));
    EXPECT_EQ(put(key).error().code(), Errc::already_exists);
    EXPECT_EQ(temporaries(), 0);
  }
}

TEST_F(DirectoryDurability, a_link_whose_reply_was_lost_counts) {
  for (const int claimed : {EEXIST, EIO, ETIMEDOUT}) {
    observed_.lose_link_reply(claimed);
    const std::string key = "d/" + std::to_string(claimed);
    EXPECT_TRUE(put(key, "bytes"));
    EXPECT_TRUE(exists(key));
    EXPECT_EQ(temporaries(), 0);
  }
}

TEST_F(DirectoryDurability, a_crash_before_the_name_leaves_no_object) {
  for (const std::string_view call : {"fdatasync", "link"}) {
    crash_at(call);
    EXPECT_FALSE(exists("d/key"));
    EXPECT_TRUE(store_->list("", "", 10, test_context())->objects.empty());
  }
  EXPECT_EQ(temporaries(), 2);
  EXPECT_TRUE(put("d/key"));
}

TEST_F(DirectoryDurability, a_crash_after_the_name_leaves_a_whole_object) {
  ASSERT_TRUE(put("d/first"));
  crash_at("fsync d");
  EXPECT_EQ(store_->head("d/key", test_context()).value().size_bytes, 100'000);
  EXPECT_EQ(put("d/key").error().code(), Errc::already_exists);
}

TEST_F(DirectoryDurability, leftovers_of_a_crash_are_removed_once_they_are_a_day_old) {
  crash_at("link");
  ASSERT_EQ(temporaries(), 1);
  open();
  EXPECT_EQ(temporaries(), 1);  // somebody may still be writing it
  const fs::path leftover = fs::directory_iterator(root_ / "+tmp")->path();
  fs::last_write_time(leftover, fs::file_time_type::clock::now() - std::chrono::hours(25));
  ASSERT_TRUE(DirectoryObjectStore::open({root_.string(), /*read_only=*/true}));
  EXPECT_EQ(temporaries(), 1);
  open();
  EXPECT_EQ(temporaries(), 0);
}

TEST_F(DirectoryDurability, a_host_whose_clock_is_ahead_takes_nobodys_bytes_for_leftovers) {
  crash_at("link");
  ASSERT_EQ(temporaries(), 1);
  const auto root = Folder::open_root(root_.string());
  ASSERT_TRUE(root);
  const Nanos ahead = system_clock().wall_now() + std::chrono::nanoseconds(std::chrono::hours(31 * 24)).count();
  EXPECT_EQ(remove_stale_temporaries(*root, ahead).value(), 0U);
  EXPECT_EQ(temporaries(), 1);
}

TEST_F(DirectoryDurability, a_writer_whose_leftover_was_removed_is_told_to_try_again) {
  observed_.spoil([&](std::string_view call) {
    if (call.starts_with("link")) fs::remove_all(root_ / "+tmp");
    return 0;
  });
  EXPECT_EQ(put("d/key").error().code(), Errc::unavailable);
  observed_.spoil(nullptr);
  EXPECT_TRUE(put("d/key"));
}

TEST_F(DirectoryDurability, a_request_stopped_while_it_syncs_gets_no_name) {
  std::stop_source owner;
  observed_.spoil([&](std::string_view call) {
    if (call.starts_with("fdatasync")) owner.request_stop();
    return 0;
  });
  const auto context = RequestContext::within(std::chrono::seconds(30), Cause::demand, owner.get_token());
  EXPECT_EQ(store_->put_if_absent("d/key", as_bytes("v"), context).error().code(), Errc::cancelled);
  EXPECT_FALSE(exists("d/key"));
  EXPECT_EQ(temporaries(), 0);
}

TEST_F(DirectoryDurability, a_listing_reads_one_folder_whatever_else_the_store_holds) {
  for (const std::string key : {"dirs/1/b", "dirs/1/a", "dirs/2/a", "chunks/ab/c", "cairn.format"})
    ASSERT_TRUE(put(key));
  observed_.forget();
  ASSERT_TRUE(store_->list("dirs/1/", "", 1, test_context()));
  EXPECT_EQ(observed_.calls(), Calls{"read dirs/1"});
}

// A small file system of its own, or a reason why there is none.
class SmallFileSystem : public testing::Test {
 protected:
  void SetUp() override {
    if (mount("tmpfs", path().c_str(), "tmpfs", 0, "size=1m") != 0) {
      GTEST_SKIP() << "cannot mount a tmpfs (needs root): " << std::strerror(errno);
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) umount2(path().c_str(), MNT_DETACH);
  }
  [[nodiscard]] std::string path() const { return directory_.path().string(); }

 private:
  TemporaryDirectory directory_;
  bool mounted_ = false;
};

TEST_F(SmallFileSystem, when_it_is_full_a_put_fails_with_advice_and_leaves_nothing) {
  auto opened = DirectoryObjectStore::open({path()});
  ASSERT_TRUE(opened);
  ObjectStore& store = **opened;
  ASSERT_TRUE(store.put_if_absent("small", as_bytes("v"), test_context()));
  const Buffer large(2 << 20);
  const auto put = store.put_if_absent("large", large.view(), test_context());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::no_space);
  EXPECT_NE(put.error().message().find("free some space"), std::string::npos) << put.error().message();
  EXPECT_TRUE(fs::is_empty(fs::path(path()) / "+tmp"));
  const auto page = store.list("", "", 10, test_context());
  ASSERT_TRUE(page);
  EXPECT_EQ(page->objects.size(), 1);
  EXPECT_TRUE(store.put_if_absent("also-small", as_bytes("v"), test_context()));
}

TEST_F(SmallFileSystem, when_it_is_read_only_the_store_opens_only_for_reading) {
  ASSERT_TRUE(DirectoryObjectStore::open({path()}).value()->put_if_absent("key", as_bytes("v"), test_context()));
  ASSERT_EQ(mount(nullptr, path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const auto refused = DirectoryObjectStore::open({path()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::read_only);
  const auto reader = DirectoryObjectStore::open({path(), /*read_only=*/true});
  ASSERT_TRUE(reader);
  EXPECT_TRUE((*reader)->get("key", {}, test_context()));
}

TEST_F(SmallFileSystem, when_it_becomes_read_only_later_puts_say_so) {
  auto store = DirectoryObjectStore::open({path()});
  ASSERT_TRUE(store);
  ASSERT_TRUE((*store)->put_if_absent("d/key", as_bytes("v"), test_context()));
  ASSERT_EQ(mount(nullptr, path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const auto put = (*store)->put_if_absent("d/new", as_bytes("v"), test_context());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::read_only);
  EXPECT_EQ((*store)->remove({"d/key"}, test_context()).error().code(), Errc::read_only);
}

}  // namespace cairn
