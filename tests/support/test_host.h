// One host's FileSystem within a test, and its system calls by path: what the kernel would make of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fs/errno.h"
#include "fs/store_file_system.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/file_image_cache.h"
#include "tests/support/test_environment.h"

namespace cairn {

struct TestHostOptions {
  std::string host = "host-a";
  std::chrono::nanoseconds revalidate{0};
  bool read_only = false;
  bool commit_async = false;
  const Clock* clock = nullptr;  // as TestEnvironmentOptions has them
  std::optional<uint64_t> random_seed{};
  PublishOpenRules publish_open{};
  uint64_t staging_bytes = 0;
  uint64_t cache_bytes = 256ULL << 20;
  bool may_not_open = false;  // a store that cannot be opened is no failure: ask is_open()
  uint64_t most_open = StoreOptions{}.most_open;
  uint64_t most_writers = StoreOptions{}.most_writers;
  std::chrono::nanoseconds operation_timeout = StoreOptions{}.operation_timeout;
  FileImageCache* images = nullptr;  // nullptr: none; borrowed
};

// A FileSystem with everything it needs, over a store that others may share.
// Thread-safety: as FileSystem's; the path calls keep no state.
class TestHost {
 public:
  explicit TestHost(ObjectStore& objects, TestHostOptions options = {});
  ~TestHost();
  TestHost(const TestHost&) = delete;
  TestHost& operator=(const TestHost&) = delete;

  [[nodiscard]] StoreFileSystem& files() { return *files_; }
  [[nodiscard]] bool is_open() const { return files_ != nullptr; }
  [[nodiscard]] FakeClock& clock() { return environment_->clock(); }
  [[nodiscard]] StoreCounters& counters() { return environment_->counters(); }

  // The process ends, orderly or killed, and the next one starts with the same staging directory. From the moment of a
  // kill nothing of the old process reaches the store.
  void restart();
  void kill_and_restart();
  // The same, and what was being written stays on the disk, as where no destructor runs.
  void crash_and_restart();

  // Paths are below the root, "a/b/c"; "" is the root itself. A node that a call found is forgotten before it returns.
  Result<NodeReply> stat(const std::string& path);
  // open(2): creates with O_CREAT, looks again on ESTALE.
  Result<HandleId> open(const std::string& path, int flags, uint32_t mode = 0644);
  // close(2) of the last descriptor: the error of flush.
  Result<void> close(HandleId handle);
  Result<void> write(const std::string& path, std::string_view content);  // open O_CREAT|O_TRUNC, write, close
  Result<std::string> read(const std::string& path);
  Result<std::string> read(HandleId handle);
  Result<size_t> pwrite(HandleId handle, uint64_t offset, std::string_view content);
  Result<void> mkdir(const std::string& path, uint32_t mode = 0755);
  Result<void> rmdir(const std::string& path);
  Result<void> unlink(const std::string& path);
  Result<void> symlink(const std::string& target, const std::string& path);
  Result<std::string> readlink(const std::string& path);
  Result<void> rename(const std::string& from, const std::string& to, RenameMode mode = RenameMode::replace);
  Result<void> set_attributes(const std::string& path, const SetAttributes& wanted);
  Result<void> truncate(const std::string& path, uint64_t size_bytes);
  // Names but "." and "..", sorted.
  Result<std::vector<std::string>> list(const std::string& path);
  Result<void> set_xattr(const std::string& path, const std::string& name, const std::string& value, int flags = 0);
  Result<std::string> get_xattr(const std::string& path, const std::string& name);
  Result<void> remove_xattr(const std::string& path, const std::string& name);
  Result<std::vector<std::string>> list_xattrs(const std::string& path);

  // A looked up node that stays until the test forgets it.
  Result<NodeReply> hold(const std::string& path);

 private:
  void start();
  void end();
  template <class Call>
  auto with_node(const std::string& path, const Call& call);
  template <class Call>
  auto with_parent(const std::string& path, const Call& call);
  Result<HandleId> open_once(const std::string& path, int flags, uint32_t mode);

  FaultyObjectStore objects_;
  const TestHostOptions options_;
  std::shared_ptr<TemporaryDirectory> staging_;
  Nanos ended_at_ = 0;  // when the last process ended, so that time goes on in the next one
  std::unique_ptr<TestEnvironment> environment_;
  std::unique_ptr<ChunkReader> reader_;
  std::unique_ptr<ChunkWriter> writer_;
  std::unique_ptr<StoreFileSystem> files_;
};

// The errno of a failure, 0 of a success: EXPECT_EQ(errno_of(host.mkdir("a")), EEXIST).
template <class T>
int errno_of(const Result<T>& result) {
  return result ? 0 : to_errno(result.error());
}

}  // namespace cairn
