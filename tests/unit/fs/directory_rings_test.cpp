// Directories that would lie within each other.
#include "store/directories/path_lookup.h"
#include "tests/unit/fs/fs_test.h"

namespace cairn {
namespace {

class DirectoryRings : public testing::Test {
 protected:
  DirectoryRings() {
    EXPECT_TRUE(a.mkdir("p"));
    EXPECT_TRUE(a.mkdir("q"));
  }

  TestStore store;
  TestHost a{store.objects(), {.host = "host-a"}};
  TestHost b{store.objects(), {.host = "host-b"}};
};

TEST_F(DirectoryRings, a_stale_descriptor_cannot_put_a_directory_below_itself) {
  const auto stale = b.hold("q");
  ASSERT_TRUE(a.rename("q", "p/q"));
  const auto renamed = b.files().rename(kRootNode, "p", stale->node, "p", RenameMode::replace, test_context());
  EXPECT_EQ(errno_of(renamed), ESTALE);
  b.files().forget(stale->node, 1);
  TestHost c{store.objects(), {.host = "host-c"}};
  EXPECT_TRUE(c.stat("p/q"));
  EXPECT_EQ(errno_of(c.rename("p", "p/q/p")), EINVAL);
}

TEST_F(DirectoryRings, a_ring_that_is_in_the_store_can_be_walked_around_and_hangs_nobody) {
  const EntryId p = b.stat("p")->attributes.ino;
  const EntryId q = b.stat("q")->attributes.ino;
  TestEnvironment forger(store.objects(), {.host = "forger"});
  const auto forge = [&](EntryId in, const std::string& name, EntryId id) {
    auto directory = Directory::load(forger.environment(), in, test_context());
    Entry entry;
    entry.id = id;
    entry.kind = Kind::directory;
    const auto put = [&](DirectoryEdit& edit) -> Result<void> {
      edit.put(name, entry);
      return {};
    };
    EXPECT_TRUE((*directory)->commit(put, test_context()));
  };
  forge(p, "q", q);
  forge(q, "p", p);
  const auto deep = b.hold("p/q/p/q/p/q");
  ASSERT_TRUE(deep);
  EXPECT_TRUE(b.write("p/q/p/q/f", "found"));
  EXPECT_EQ(content_or_error(b.read("q/f")), "found");
  (void)b.rename("p/q/p", "q/other");
  b.files().forget(deep->node, 1);
  const auto files = files_below(directories_of_store(forger.environment(), test_context()), "");
  ASSERT_TRUE(files) << files.error().to_string();
  EXPECT_EQ(files->size(), 1U);
}

}  // namespace
}  // namespace cairn
