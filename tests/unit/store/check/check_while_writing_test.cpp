// Hosts at work while `check` looks: whatever it meets in the middle of an operation, it calls nothing damaged.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store/check/check.h"
#include "store/codec/chunk_codec.h"
#include "store/directories/namespace.h"
#include "store/format/keys.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr Nanos kNow = 1;

// One host that makes, fills, renames and removes directories below the root, the same names as the others.
class BusyHost {
 public:
  BusyHost(TestStore& store, uint64_t number)
      : host_(store, {.host = "host-" + std::to_string(number)}), names_(host_.environment()), random_(number) {}

  void run(size_t operations) {
    root_ = *names_.open(kRootId, test_context());
    for (size_t i = 0; i < operations; ++i) act(i);
    const auto stopped = names_.stop(test_context());
    EXPECT_TRUE(stopped) << stopped.error().to_string();
  }

 private:
  std::string some_name() { return std::string(1, static_cast<char>('a' + random_.next_u64() % 4)); }

  // Failures are the others' doing: the name is taken, or gone, or not empty.
  void act(size_t i) {
    switch (random_.next_u64() % 5) {
      case 0: (void)names_.make_directory(*root_, some_name(), Attributes{}, test_context()); break;
      case 1: (void)names_.remove_directory(*root_, some_name(), test_context()); break;
      case 2: publish(i); break;
      case 3: rename_file(); break;
      default:
        (void)names_.rename({root_, some_name()}, {root_, some_name()}, RenameMode::replace, test_context());
        break;
    }
  }

  std::shared_ptr<Directory> some_directory() {
    (void)root_->refresh(std::chrono::nanoseconds(0), test_context());
    const EntryPtr entry = root_->find(some_name());
    if (!entry || entry->kind != Kind::directory) return nullptr;
    auto directory = names_.open(entry->id, test_context());
    return directory ? *directory : nullptr;
  }

  void publish(size_t i) {
    const auto directory = some_directory();
    if (!directory) return;
    const Buffer plain = random_bytes(1000 + i, random_.next_u64());
    ChunkRef chunk{0, static_cast<uint32_t>(plain.size()), sha256(plain.view()), xxh3_128(plain.view())};
    ASSERT_TRUE(host_.environment().objects.put_if_absent(keys::chunk(chunk.id), encode_chunk(plain.view(), 1).view(),
                                                          test_context()));
    Version version;
    version.published = version.mtime = kNow;
    version.size_bytes = plain.size();
    version.content = std::make_shared<const Manifest>(plain.size(), std::vector<ChunkRef>{chunk});
    const auto shared = std::make_shared<const Version>(std::move(version));
    (void)directory->commit(
        [shared, file = file_, id = random_.next_u64()](DirectoryEdit& edit) -> Result<void> {
          const EntryPtr there = edit.find(file);
          Entry entry = there ? *there : Entry{};
          if (!there) entry.id = id;
          edit.put(file, entry.with_version(shared, 64));
          return {};
        },
        test_context());
  }

  void rename_file() {
    const auto from = some_directory();
    const auto to = some_directory();
    if (from && to) (void)names_.rename({from, file_}, {to, file_}, RenameMode::replace, test_context());
  }

  TestEnvironment host_;
  // Each host moves files of its own: one that two hosts move to two directories at once ends in both, and is reported
  // (docs/semantics.md, "Rename").
  const std::string file_ = "file-of-" + host_.environment().options.host;
  Namespace names_;
  SeededRandom random_;
  std::shared_ptr<Directory> root_;
};

TEST(CheckWhileWriting, finds_nothing) {
  TestStore store;
  std::atomic<size_t> at_work{2};
  std::vector<std::jthread> hosts;
  for (uint64_t number = 1; number <= 2; ++number) {
    hosts.emplace_back([&, number] {
      BusyHost(store, test_seed() + number).run(300);
      --at_work;
    });
  }
  size_t checks = 0;
  do {
    const auto report = check_store(store.objects(), {.read_data = true, .progress = {}}, test_context());
    ASSERT_TRUE(report) << report.error().to_string();
    for (const CheckFinding& finding : report->findings) {
      ADD_FAILURE() << finding.path << " (" << finding.object << "): " << finding.message;
    }
    ++checks;
  } while (at_work > 0 || checks < 2);
}

}  // namespace
}  // namespace cairn
