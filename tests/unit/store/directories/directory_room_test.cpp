// How far a directory may grow: as far as its readers have memory for.
#include <algorithm>
#include <functional>

#include "store/directories/entry_edits.h"
#include "store/directories/namespace.h"
#include "store/format/record.h"
#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {
namespace {

constexpr size_t kKeepVersions = 64;

std::string name_of(size_t i) { return fmt::format("f{}", i); }

AttributeChange sets_xattr(size_t bytes, const std::string& name = "user.a") {
  return [=](Attributes& attributes) -> Result<void> {
    attributes.xattrs[name] = std::string(bytes, 'x');
    return {};
  };
}

Result<void> removes_xattr(Attributes& attributes) {
  attributes.xattrs.clear();
  return {};
}

// A kind of entry, and how it is made large.
struct Filling {
  std::string what;
  std::function<Mutation(size_t i)> add;
};

VersionPtr listed_in_chunks() {
  std::vector<ChunkRef> chunks;
  for (size_t i = 0; i < kMaxInlineChunks; ++i) {
    chunks.push_back({.offset = i * (64U << 10), .size = 100, .id = sha256(as_bytes(name_of(i))), .checksum = {}});
  }
  Version version;
  version.published = 1;
  version.size_bytes = chunks.back().end();
  version.content = std::make_shared<const Manifest>(version.size_bytes, std::move(chunks));
  return std::make_shared<const Version>(std::move(version));
}

Mutation adds(size_t i, const std::function<void(Entry&)>& enlarge) {
  Entry entry = file_entry(1000 + i);
  enlarge(entry);
  return create_entry(name_of(i), entry, 0, true, kKeepVersions);
}

std::vector<Filling> fillings() {
  const VersionPtr small = version_of("x", 1);
  const VersionPtr chunked = listed_in_chunks();
  return {
      {"names", [](size_t i) { return adds(i, [](Entry&) {}); }},
      {"versions", [=](size_t i) { return adds(i, [&](Entry& entry) { entry.versions.assign(10, small); }); }},
      {"chunk_lists", [=](size_t i) { return adds(i, [&](Entry& entry) { entry.versions.assign(2, chunked); }); }},
      {"many_attributes",
       [](size_t i) {
         return adds(i, [](Entry& entry) {
           for (size_t k = 0; k < 100; ++k) entry.attributes.xattrs[fmt::format("user.{}", k)] = "";
         });
       }},
      {"large_attributes",
       [](size_t i) { return adds(i, [](Entry& entry) { (void)sets_xattr(60'000)(entry.attributes); }); }},
  };
}

class DirectoryRoomTest : public ::testing::TestWithParam<size_t> {
 protected:
  // As many as there is room for, in one record. Returns how many.
  static size_t fill(Directory& directory, const Filling& filling) {
    size_t added = 0;
    EXPECT_OK(directory.commit(
        [&](DirectoryEdit& edit) -> Result<void> {
          for (added = 0; filling.add(added)(edit); ++added) {
          }
          return {};
        },
        test_context()));
    return added;
  }

  TestStore store;
  Host host{store};
};

TEST_P(DirectoryRoomTest, a_directory_that_takes_no_more_can_still_be_read_by_an_equal_host) {
  const Filling filling = fillings()[GetParam()];
  const auto directory = host.load();
  const size_t added = fill(*directory, filling);
  EXPECT_GT(added, 100U);
  EXPECT_POSIX(directory->commit(filling.add(added), test_context()), ENOSPC);
  Host other(store, "host-b");
  EXPECT_EQ(names(*other.load()).size(), added);
}

TEST_P(DirectoryRoomTest, whatever_filled_it_removing_makes_room_again) {
  const Filling filling = fillings()[GetParam()];
  const auto directory = host.load();
  const size_t added = fill(*directory, filling);
  EXPECT_OK(directory->commit(
      [](DirectoryEdit& edit) -> Result<void> {
        for (size_t i = 0; i < 3; ++i) edit.forget(name_of(i));
        return {};
      },
      test_context()));
  EXPECT_OK(directory->commit(filling.add(added), test_context()));
}

INSTANTIATE_TEST_SUITE_P(Fillings, DirectoryRoomTest, ::testing::Range<size_t>(0, 5),
                         [](const auto& of) { return fillings()[of.param].what; });

// Filled by a host that has more memory than `small`, which can just about read it.
class OverfullDirectoryTest : public ::testing::Test {
 protected:
  OverfullDirectoryTest() {
    const auto filled = Directory::load(large.environment(), kRootId, test_context());
    EXPECT_OK((*filled)->commit(
        [](DirectoryEdit& edit) -> Result<void> {
          for (size_t i = 0; i < kFiles; ++i) {
            Entry entry = file_entry(1000 + i);
            if (i > 0) entry.versions = {version_of("x", 1)};
            (void)sets_xattr(kBytes)(entry.attributes);
            if (auto done = create_entry(name_of(i), entry, 0, true, kKeepVersions)(edit); !done) return done;
          }
          return {};
        },
        test_context()));
    auto loaded = Directory::load(small.environment(), kRootId, test_context());
    EXPECT_OK(loaded);
    directory = *loaded;
  }
  Result<void> change(const Mutation& mutation) { return directory->commit(mutation, test_context()); }

  static constexpr size_t kFiles = 500;
  static constexpr size_t kBytes = 60'000;
  static constexpr size_t kMessageBytes = kFiles * (kBytes + 200);
  TestStore store;
  TestEnvironment large{store, {.host = "large", .memory_bytes = 256ULL << 20}};
  TestEnvironment small{store, {.host = "small", .memory_bytes = 2 * kMessageBytes}};
  std::shared_ptr<Directory> directory;
};

TEST_F(OverfullDirectoryTest, nothing_more_goes_in) {
  EXPECT_POSIX(change(adds(kFiles, [](Entry&) {})), ENOSPC);
  EXPECT_POSIX(change(change_entry("f1", 1001, sets_xattr(1, "user.b"))), ENOSPC);
  EXPECT_POSIX(change(publish_version("f1", file_entry(1001), version_of("y", 2), 5, kKeepVersions)), ENOSPC);
}

TEST_F(OverfullDirectoryTest, what_takes_away_works) {
  EXPECT_OK(change(change_entry("f1", 1001, removes_xattr)));
  EXPECT_OK(change(change_entry("f2", 1002, sets_xattr(kBytes - 1))));
  EXPECT_OK(change(remove_entry("f3", 1003, 5)));
  EXPECT_OK(change(remove_entry("f0", 1000, 5)));
  EXPECT_EQ(directory->find("f0"), nullptr);
  EXPECT_EQ(directory->find("f3"), nullptr);
}

TEST_F(OverfullDirectoryTest, what_leaves_the_size_as_it_is_works) {
  const auto chmod = [](Attributes& attributes) -> Result<void> {
    attributes.mode = 0600;
    return {};
  };
  EXPECT_OK(change(change_entry("f1", 1001, chmod)));
  EXPECT_EQ(directory->find("f1")->attributes.mode, 0600U);
}

TEST_F(OverfullDirectoryTest, unlinking_everything_goes_on_through_every_snapshot) {
  for (size_t i = 0; i < 3 * kRecordsPerSnapshot; ++i) {
    ASSERT_TRUE(change(remove_entry(name_of(i), 1000 + i, 5))) << i;
  }
  EXPECT_EQ(names(*directory).size(), kFiles - 3 * kRecordsPerSnapshot);
}

TEST_F(OverfullDirectoryTest, once_there_is_room_attributes_can_be_set) {
  for (size_t i = 1; i < 20; ++i) ASSERT_TRUE(change(change_entry(name_of(i), 1000 + i, removes_xattr)));
  EXPECT_OK(change(change_entry("f1", 1001, sets_xattr(kBytes))));
}

// Opens one directory after the other and holds none of them.
class LoadedDirectoriesTest : public ::testing::Test {
 protected:
  // How many of `count` directories stay loaded that hold so many bytes each.
  size_t loaded_of(size_t count, size_t bytes) {
    std::vector<std::weak_ptr<Directory>> opened;
    for (size_t i = 0; i < count; ++i) {
      const auto made = Directory::create(host.environment(), {}, test_context());
      const Mutation filled = [&](DirectoryEdit& edit) -> Result<void> {
        for (size_t k = 0; k < bytes / 50'000; ++k)
          (void)adds(k, [](Entry& entry) { (void)sets_xattr(50'000)(entry.attributes); })(edit);
        return {};
      };
      EXPECT_OK((*made)->commit(filled, test_context()));
      opened.emplace_back(*directories.open((*made)->id(), test_context()));
    }
    return static_cast<size_t>(std::ranges::count_if(opened, [](const auto& weak) { return !weak.expired(); }));
  }

  TestStore store;
  Host host{store};  // reads 32 MiB at once
  Namespace directories{host.environment()};
};

TEST_F(LoadedDirectoriesTest, small_ones_stay_loaded) { EXPECT_EQ(loaded_of(8, 50'000), 8U); }

TEST_F(LoadedDirectoriesTest, large_ones_stay_as_far_as_there_is_memory_for_them) {
  EXPECT_EQ(loaded_of(8, 10'000'000), 3U);
}

TEST_F(LoadedDirectoriesTest, one_of_any_size_stays_while_it_is_used) { EXPECT_EQ(loaded_of(2, 30'000'000), 1U); }

}  // namespace
}  // namespace cairn
