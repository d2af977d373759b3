#include "tests/support/test_host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <utility>

#include <algorithm>
#include <cerrno>

#include "base/posix_error.h"

namespace cairn {

namespace {

constexpr uint32_t kThread = 1;  // one process does everything

// "a/b/c": {"a/b", "c"}.
std::pair<std::string, std::string> split(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

TestHost::TestHost(ObjectStore& objects, TestHostOptions options)
    : objects_(objects), options_(std::move(options)), staging_(std::make_shared<TemporaryDirectory>()) {
  start();
}

TestHost::~TestHost() {
  if (files_) (void)files_->shut_down(test_context());
}

void TestHost::start() {
  environment_ = std::make_unique<TestEnvironment>(objects_,
                                                   TestEnvironmentOptions{.host = options_.host,
                                                                          .cache_bytes = options_.cache_bytes,
                                                                          .staging_bytes = options_.staging_bytes,
                                                                          .images = options_.images,
                                                                          .clock = options_.clock,
                                                                          .random_seed = options_.random_seed},
                                                   staging_);
  if (ended_at_ != 0) clock().advance(std::chrono::nanoseconds(ended_at_ - clock().wall_now()));
  environment_->environment().options.revalidate = options_.revalidate;
  environment_->environment().options.read_only = options_.read_only;
  environment_->environment().options.commit_async = options_.commit_async;
  environment_->environment().options.most_open = options_.most_open;
  environment_->environment().options.most_writers = options_.most_writers;
  environment_->environment().options.operation_timeout = options_.operation_timeout;
  reader_ = std::make_unique<ChunkReader>(environment_->environment());
  writer_ = std::make_unique<ChunkWriter>(environment_->environment());
  if (options_.images != nullptr) options_.images->set_source(reader_.get());
  auto opened =
      StoreFileSystem::open(environment_->environment(), *reader_, *writer_, test_context(), options_.publish_open);
  if (!opened && options_.may_not_open) return;
  ASSERT_TRUE(opened) << opened.error().to_string();
  files_ = std::move(*opened);
}

void TestHost::end() {
  ended_at_ = clock().wall_now();
  files_.reset();
  if (options_.images != nullptr) options_.images->set_source(nullptr);
  writer_.reset();
  reader_.reset();
  environment_.reset();
}

void TestHost::restart() {
  const auto done = files_->shut_down(test_context());
  EXPECT_TRUE(done) << done.error().to_string();
  end();
  start();
}

void TestHost::kill_and_restart() {
  objects_.add({.times = kEveryTime});
  end();
  objects_.heal();
  start();
}

void TestHost::crash_and_restart() {
  objects_.add({.times = kEveryTime});
  auto left = std::make_shared<TemporaryDirectory>();
  using Options = std::filesystem::copy_options;
  std::filesystem::copy(staging_->path(), left->path(), Options::recursive | Options::overwrite_existing);
  end();
  staging_ = std::move(left);
  objects_.heal();
  start();
}

Result<NodeReply> TestHost::hold(const std::string& path) {
  const auto context = test_context();
  auto reply = files_->get_attributes(kRootNode, std::nullopt, context);
  for (size_t begin = 0; reply && begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    auto next = files_->lookup(reply->node, path.substr(begin, end - begin), context);
    files_->forget(reply->node, 1);
    reply = std::move(next);
    begin = end + 1;
  }
  return reply;
}

template <class Call>
auto TestHost::with_node(const std::string& path, const Call& call) {
  auto node = hold(path);
  using Outcome = decltype(call(node->node));
  if (!node) return Outcome(fail(std::move(node).error()));
  auto outcome = call(node->node);
  files_->forget(node->node, 1);
  return outcome;
}

template <class Call>
auto TestHost::with_parent(const std::string& path, const Call& call) {
  const auto [above, name] = split(path);
  using Outcome = decltype(call(NodeId(), name));
  auto parent = hold(above);
  if (!parent) return Outcome(fail(std::move(parent).error()));
  const bool is_directory = parent->attributes.kind == Kind::directory;
  auto outcome = is_directory ? call(parent->node, name) : Outcome(fail_posix(ENOTDIR, "'{}' is no directory", above));
  files_->forget(parent->node, 1);
  return outcome;
}

Result<NodeReply> TestHost::stat(const std::string& path) {
  auto node = hold(path);
  if (node) files_->forget(node->node, 1);
  return node;
}

Result<HandleId> TestHost::open(const std::string& path, int flags, uint32_t mode) {
  auto handle = open_once(path, flags, mode);
  return errno_of(handle) == ESTALE ? open_once(path, flags, mode) : handle;
}

Result<HandleId> TestHost::open_once(const std::string& path, int flags, uint32_t mode) {
  const auto open_node = [&](NodeId node) -> Result<HandleId> {
    auto opened = files_->open_file(node, flags, {0, 0, kThread}, test_context());
    if (!opened) return fail(std::move(opened).error());
    return opened->handle;
  };
  if ((flags & O_CREAT) == 0) return with_node(path, open_node);
  return with_parent(path, [&](NodeId parent, const std::string& name) -> Result<HandleId> {
    auto created = files_->create(parent, name, mode, flags, {0, 0, kThread}, test_context());
    if (!created) return fail(std::move(created).error());
    files_->forget(created->first.node, 1);
    return created->second.handle;
  });
}

Result<void> TestHost::close(HandleId handle) {
  auto flushed = files_->flush(handle, test_context());
  files_->release(handle);
  return flushed;
}

Result<size_t> TestHost::pwrite(HandleId handle, uint64_t offset, std::string_view content) {
  return files_->write(handle, offset, as_bytes(content), test_context());
}

Result<void> TestHost::write(const std::string& path, std::string_view content) {
  auto handle = open(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!handle) return fail(std::move(handle).error());
  auto written = pwrite(*handle, 0, content);
  auto closed = close(*handle);
  if (!written) return fail(std::move(written).error());
  return closed;
}

Result<std::string> TestHost::read(HandleId handle) {
  std::string content;
  std::string piece(256U << 10, '\0');
  while (true) {
    const MutableByteView out(reinterpret_cast<std::byte*>(piece.data()), piece.size());
    auto size_read = files_->read(handle, content.size(), out, test_context());
    if (!size_read) return fail(std::move(size_read).error());
    if (*size_read == 0) return content;
    content.append(piece, 0, *size_read);
  }
}

Result<std::string> TestHost::read(const std::string& path) {
  auto handle = open(path, O_RDONLY);
  if (!handle) return fail(std::move(handle).error());
  auto content = read(*handle);
  files_->release(*handle);
  return content;
}

Result<void> TestHost::mkdir(const std::string& path, uint32_t mode) {
  return with_parent(path, [&](NodeId parent, const std::string& name) -> Result<void> {
    auto made = files_->make_directory(parent, name, mode, {}, test_context());
    if (!made) return fail(std::move(made).error());
    files_->forget(made->node, 1);
    return {};
  });
}

Result<void> TestHost::rmdir(const std::string& path) {
  return with_parent(path, [&](NodeId parent, const std::string& name) {
    return files_->remove_directory(parent, name, test_context());
  });
}

Result<void> TestHost::unlink(const std::string& path) {
  return with_parent(
      path, [&](NodeId parent, const std::string& name) { return files_->remove_file(parent, name, test_context()); });
}

Result<void> TestHost::symlink(const std::string& target, const std::string& path) {
  return with_parent(path, [&](NodeId parent, const std::string& name) -> Result<void> {
    auto made = files_->make_symlink(parent, name, target, {}, test_context());
    if (!made) return fail(std::move(made).error());
    files_->forget(made->node, 1);
    return {};
  });
}

Result<std::string> TestHost::readlink(const std::string& path) {
  return with_node(path, [&](NodeId node) { return files_->read_symlink(node, test_context()); });
}

Result<void> TestHost::rename(const std::string& from, const std::string& to, RenameMode mode) {
  return with_parent(from, [&](NodeId old_parent, const std::string& old_name) {
    return with_parent(to, [&](NodeId new_parent, const std::string& new_name) {
      return files_->rename(old_parent, old_name, new_parent, new_name, mode, test_context());
    });
  });
}

Result<void> TestHost::set_attributes(const std::string& path, const SetAttributes& wanted) {
  return with_node(path, [&](NodeId node) -> Result<void> {
    auto done = files_->set_attributes(node, wanted, test_context());
    if (!done) return fail(std::move(done).error());
    return {};
  });
}

Result<void> TestHost::truncate(const std::string& path, uint64_t size_bytes) {
  return set_attributes(path, {.size_bytes = size_bytes});
}

Result<std::vector<std::string>> TestHost::list(const std::string& path) {
  return with_node(path, [&](NodeId node) -> Result<std::vector<std::string>> {
    auto handle = files_->open_directory(node, {}, test_context());
    if (!handle) return fail(std::move(handle).error());
    std::vector<std::string> names;
    const auto take = [&](const DirectoryEntry& entry, const std::optional<NodeReply>&, uint64_t) {
      if (entry.name != "." && entry.name != "..") names.push_back(entry.name);
      return true;
    };
    auto listed = files_->read_directory(*handle, 0, false, take, test_context());
    files_->release_directory(*handle);
    if (!listed) return fail(std::move(listed).error());
    std::sort(names.begin(), names.end());
    return names;
  });
}

Result<void> TestHost::set_xattr(const std::string& path, const std::string& name, const std::string& value,
                                 int flags) {
  return with_node(path, [&](NodeId node) { return files_->set_xattr(node, name, value, flags, test_context()); });
}

Result<std::string> TestHost::get_xattr(const std::string& path, const std::string& name) {
  return with_node(path, [&](NodeId node) { return files_->get_xattr(node, name, test_context()); });
}

Result<void> TestHost::remove_xattr(const std::string& path, const std::string& name) {
  return with_node(path, [&](NodeId node) { return files_->remove_xattr(node, name, test_context()); });
}

Result<std::vector<std::string>> TestHost::list_xattrs(const std::string& path) {
  return with_node(path, [&](NodeId node) { return files_->list_xattrs(node, test_context()); });
}

}  // namespace cairn
