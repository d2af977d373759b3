#include "cache/disk_staging_area.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

namespace fs = std::filesystem;

class DiskStagingAreaTest : public testing::Test {
 protected:
  std::unique_ptr<DiskStagingArea> open() {
    auto area = DiskStagingArea::open(directory_.path());
    EXPECT_TRUE(area) << area.error().to_string();
    return std::move(*area);
  }

  static std::unique_ptr<StagingFile> create(DiskStagingArea& area, std::string_view content = "") {
    auto file = area.create(0);
    EXPECT_TRUE(file) << file.error().to_string();
    EXPECT_EQ(::pwrite((*file)->fd(), content.data(), content.size(), 0), static_cast<ssize_t>(content.size()));
    return std::move(*file);
  }

  static std::string content_of(const StagingFile& file) {
    char buffer[100];
    const ssize_t got = ::pread(file.fd(), buffer, sizeof buffer, 0);
    return {buffer, static_cast<size_t>(std::max<ssize_t>(got, 0))};
  }

  // What a process leaves that ends without tidying up: `work` runs in a child, with an area of its own, and ends it.
  void crash_after(const std::function<void(DiskStagingArea&)>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work(*open());
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_.path() / "staging")) {
      const std::string name = entry.path().filename();
      if (name != "lock" && !name.starts_with("spare.")) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
  }

  TemporaryDirectory directory_;
};

TEST_F(DiskStagingAreaTest, a_file_goes_when_its_object_goes) {
  auto area = open();
  auto file = create(*area, "abc");
  EXPECT_EQ(content_of(*file), "abc");
  EXPECT_EQ(files().size(), 1U);
  file.reset();
  EXPECT_TRUE(files().empty());
}

TEST_F(DiskStagingAreaTest, a_directory_that_somebody_removes_is_made_anew_and_is_ours) {
  auto area = open();
  auto before = create(*area, "before");
  fs::remove_all(directory_.path() / "staging");
  EXPECT_FALSE(before->keep("it"));
  EXPECT_EQ(content_of(*before), "before");
  auto after = create(*area, "after");
  EXPECT_TRUE(after->keep("it"));
  EXPECT_EQ(files().size(), 2U);
  EXPECT_FALSE(DiskStagingArea::open(directory_.path()));
  after->release();
}

TEST_F(DiskStagingAreaTest, files_are_sparse) {
  auto area = open();
  auto file = create(*area);
  ASSERT_EQ(::pwrite(file->fd(), "x", 1, off_t{1} << 40), 1);
  struct stat status {};
  ASSERT_EQ(::fstat(file->fd(), &status), 0);
  EXPECT_EQ(status.st_size, (off_t{1} << 40) + 1);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);
}

TEST_F(DiskStagingAreaTest, a_kept_file_is_found_after_a_restart_with_its_newest_description) {
  crash_after([](DiskStagingArea& area) {
    auto file = create(area, "unpublished");
    const bool kept = file->keep("first") && file->keep("second\nwith a line");
    ::_exit(kept ? 0 : 1);
  });
  auto kept = open()->take_kept();
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ((*kept)[0].description, "second\nwith a line");
  EXPECT_EQ(content_of(*(*kept)[0].file), "unpublished");
}

TEST_F(DiskStagingAreaTest, a_kept_file_stays_until_it_is_released) {
  {
    auto area = open();
    ASSERT_TRUE(create(*area, "abc")->keep("it"));
  }
  {
    auto kept = open()->take_kept();
    ASSERT_EQ(kept->size(), 1U);
  }
  auto kept = open()->take_kept();
  ASSERT_EQ(kept->size(), 1U);
  (*kept)[0].file->release();
  kept->clear();
  EXPECT_TRUE(files().empty());
}

TEST_F(DiskStagingAreaTest, what_was_not_kept_is_removed_at_the_next_start) {
  crash_after([](DiskStagingArea& area) {
    auto file = create(area, "half a checkpoint");
    ::_exit(0);
  });
  auto area = open();
  auto fresh = create(*area, "new");
  auto kept = area->take_kept();
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->empty());
  EXPECT_EQ(files().size(), 1U);
  EXPECT_EQ(content_of(*fresh), "new");
}

TEST_F(DiskStagingAreaTest, a_new_file_never_takes_the_name_of_one_that_was_kept) {
  {
    auto area = open();
    ASSERT_TRUE(create(*area, "old")->keep("it"));
  }
  auto area = open();
  auto fresh = create(*area, "new");
  auto kept = area->take_kept();
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(content_of(*(*kept)[0].file), "old");
}

TEST_F(DiskStagingAreaTest, a_kept_file_with_a_damaged_description_stays_on_the_disk) {
  {
    auto area = open();
    ASSERT_TRUE(create(*area, "precious")->keep("description"));
  }
  std::fstream(directory_.path() / "staging/1.kept", std::ios::in | std::ios::out).seekp(35).put('!');
  auto kept = open()->take_kept();
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->empty());
  EXPECT_EQ(files(), (std::vector<std::string>{"1.data", "1.kept"}));
}

TEST_F(DiskStagingAreaTest, a_crash_between_the_two_steps_of_keep_leaves_the_older_description) {
  {
    auto area = open();
    ASSERT_TRUE(create(*area, "abc")->keep("older"));
  }
  std::ofstream(directory_.path() / "staging/1.kept.tmp") << "torn";
  auto kept = open()->take_kept();
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ((*kept)[0].description, "older");
}

TEST_F(DiskStagingAreaTest, a_second_owner_is_refused_and_told_who_the_first_is) {
  auto area = open();
  auto second = DiskStagingArea::open(directory_.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::conflict);
  EXPECT_EQ(second.error().message(),
            fmt::format("cache directory '{}' is in use by pid {}: give this mount its own with --cache-dir",
                        directory_.path().string(), ::getpid()));
  area.reset();
  EXPECT_TRUE(DiskStagingArea::open(directory_.path()));
}

TEST_F(DiskStagingAreaTest, a_path_that_is_a_file_is_refused) {
  std::ofstream(directory_.path() / "file") << "x";
  EXPECT_FALSE(DiskStagingArea::open(directory_.path() / "file"));
}

TEST_F(DiskStagingAreaTest, what_is_done_with_is_taken_again_empty_and_goes_with_the_area) {
  auto area = open();
  const auto inode_of = [](const StagingFile& file) {
    struct stat status {};
    EXPECT_EQ(::fstat(file.fd(), &status), 0);
    return status.st_ino;
  };
  auto first = create(*area, "first");
  const auto inode = inode_of(*first);
  first.reset();
  auto second = create(*area);
  EXPECT_EQ(inode_of(*second), inode);
  EXPECT_EQ(content_of(*second), "");
  EXPECT_EQ(files(), (std::vector<std::string>{"2.data"}));
  second.reset();
  area.reset();
  EXPECT_FALSE(fs::exists(directory_.path() / "staging" / "spare.2"));
}

TEST_F(DiskStagingAreaTest, what_is_kept_briefly_is_found_after_a_crash_in_order_and_whole) {
  crash_after([](DiskStagingArea& area) {
    for (const char* content : {"one", "two", "three"}) {
      auto file = create(area, content);
      EXPECT_TRUE(file->keep_briefly(std::string("of ") + content));
      if (std::string_view(content) == "two") file->release();
      (void)file.release();
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  });
  fs::resize_file(directory_.path() / "staging" / "1.data", 0);  // as if its bytes had never reached the disk
  auto area = open();
  auto kept = area->take_kept();
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 2U);
  EXPECT_EQ(kept->at(0).description, "of one");
  EXPECT_TRUE(kept->at(0).is_kept);
  EXPECT_EQ(content_of(*kept->at(0).file), "one");
  EXPECT_EQ(kept->at(1).description, "of three");
  for (auto& file : *kept) file.file->release();
  kept->clear();
  EXPECT_TRUE(files().empty());
}

// A crash after the newer description and before the log has let go of the older one.
TEST_F(DiskStagingAreaTest, what_was_kept_anew_is_not_undone_by_what_the_log_still_says) {
  crash_after([this](DiskStagingArea& area) {
    auto file = *area.create(0);
    EXPECT_EQ(::pwrite(file->fd(), "bytes", 5, 0), 5);
    EXPECT_TRUE(file->keep_briefly("older"));
    const fs::path saved = directory_.path() / "saved";
    fs::copy(directory_.path() / "staging", saved);
    EXPECT_TRUE(file->keep("newer"));
    for (const auto& entry : fs::directory_iterator(saved)) {
      const fs::path name = entry.path().filename();
      if (!name.string().starts_with("1."))
        fs::copy(entry.path(), directory_.path() / "staging" / name, fs::copy_options::overwrite_existing);
    }
    (void)file.release();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  });
  fs::remove_all(directory_.path() / "saved");
  auto area = open();
  auto kept = area->take_kept();
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(kept->at(0).description, "newer");
  EXPECT_EQ(content_of(*kept->at(0).file), "bytes");
}

TEST_F(DiskStagingAreaTest, a_brief_keep_without_its_end_is_none_and_those_before_it_stay) {
  crash_after([](DiskStagingArea& area) {
    for (const char* content : {"one", "two"}) {
      auto file = create(area, content);
      EXPECT_TRUE(file->keep_briefly(content));
      (void)file.release();
    }
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  });
  const fs::path log = directory_.path() / "staging" / "keep.1";
  fs::resize_file(log, fs::file_size(log) - 1);
  auto area = open();
  auto kept = area->take_kept();
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(kept->at(0).description, "one");
}

TEST_F(DiskStagingAreaTest, a_large_file_and_one_that_is_kept_for_longer_leave_the_log) {
  auto area = open();
  auto large = create(*area);
  ASSERT_EQ(::ftruncate(large->fd(), KeepLog::kMostBytes + 1), 0);
  EXPECT_TRUE(large->keep_briefly("large"));
  EXPECT_FALSE(fs::exists(directory_.path() / "staging" / "keep.1"));
  auto small = create(*area, "small");
  EXPECT_TRUE(small->keep_briefly("small"));
  EXPECT_GT(fs::file_size(directory_.path() / "staging" / "keep.1"), 0U);
  EXPECT_TRUE(small->keep("small, for longer"));
  EXPECT_EQ(fs::file_size(directory_.path() / "staging" / "keep.1"), 0U);
}

}  // namespace
}  // namespace cairn
