// What the tests of directories and namespaces share: hosts of one store, and small mutations.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/posix_error.h"
#include "store/directories/directory.h"
#include "tests/support/faulty_object_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

// One host of a store, with its own network in between.
struct Host {
  explicit Host(ObjectStore& objects, const std::string& name = "host-a")
      : network(objects), wired(network, {.host = name}) {}
  explicit Host(TestStore& store, const std::string& name = "host-a") : Host(store.objects(), name) {}

  [[nodiscard]] StoreEnvironment& environment() { return wired.environment(); }
  [[nodiscard]] std::shared_ptr<Directory> load(EntryId id = kRootId) {
    auto directory = Directory::load(environment(), id, test_context());
    EXPECT_TRUE(directory) << directory.error().to_string();
    return directory ? *directory : nullptr;
  }
  [[nodiscard]] uint64_t puts(std::string_view prefix = "dirs/") const {
    return network.count(ObjectOperation::put_if_absent, prefix);
  }
  [[nodiscard]] uint64_t gets() const { return network.count(ObjectOperation::get, "dirs/"); }
  [[nodiscard]] uint64_t lists() const { return network.count(ObjectOperation::list, "dirs/"); }

  FaultyObjectStore network;
  TestEnvironment wired;
};

inline VersionPtr version_of(const std::string& content, Nanos published, uint64_t session = 0) {
  Version version;
  version.published = version.mtime = published;
  version.host = "writer";
  version.session = session;
  version.size_bytes = content.size();
  version.content = std::make_shared<const Buffer>(Buffer::copy_of(as_bytes(content)));
  return std::make_shared<const Version>(std::move(version));
}

inline std::string content_of(const EntryPtr& entry) {
  if (!entry || !entry->current()) return {};
  const auto& buffer = std::get<SharedBuffer>(entry->current()->content);
  return buffer ? std::string(as_text(buffer->view())) : std::string();
}

inline Entry file_entry(EntryId id) {
  Entry entry;
  entry.id = id;
  entry.attributes.mode = 0644;
  return entry;
}

// A new file under a name that must be free.
inline Mutation creates(const std::string& name, EntryId id = 1000) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    if (edit.find(name)) return fail_posix(EEXIST, "'{}' exists", name);
    edit.put(name, file_entry(id));
    return {};
  };
}

// One more version of a file that must be there.
inline Mutation publishes(const std::string& name, const std::string& content, Nanos published = 1) {
  return [name, version = version_of(content, published)](DirectoryEdit& edit) -> Result<void> {
    const EntryPtr entry = edit.find(name);
    if (!entry) return fail_posix(ENOENT, "no '{}'", name);
    edit.put(name, entry->with_version(version, 64));
    return {};
  };
}

// A new file with its first content.
inline Mutation writes(const std::string& name, const std::string& content, EntryId id = 1000, Nanos published = 1) {
  return [name, id, version = version_of(content, published)](DirectoryEdit& edit) -> Result<void> {
    if (edit.find(name)) return fail_posix(EEXIST, "'{}' exists", name);
    edit.put(name, file_entry(id).with_version(version, 64));
    return {};
  };
}

inline Mutation unlinks(const std::string& name, Nanos now = FakeClock().wall_now()) {
  return [=](DirectoryEdit& edit) -> Result<void> {
    if (!edit.find(name)) return fail_posix(ENOENT, "no '{}'", name);
    edit.remove(name, now);
    return {};
  };
}

inline std::vector<std::string> names(const Directory& directory) {
  std::vector<std::string> listed;
  const auto names = directory.list();
  for (const auto& [name, entry] : *names) listed.push_back(name);
  return listed;
}

inline std::string to_text(const Result<void>& result) { return result ? "success" : result.error().to_string(); }

#define EXPECT_OK(expression)                            \
  do {                                                   \
    const auto& result_ = (expression);                  \
    EXPECT_TRUE(result_) << result_.error().to_string(); \
  } while (false)

#define EXPECT_FAILS(expression, errc)                                      \
  do {                                                                      \
    const auto& result_ = (expression);                                     \
    ASSERT_FALSE(result_);                                                  \
    EXPECT_EQ(result_.error().code(), errc) << result_.error().to_string(); \
  } while (false)

#define EXPECT_POSIX(expression, errno_value)                                       \
  do {                                                                              \
    const auto& result_ = (expression);                                             \
    ASSERT_FALSE(result_);                                                          \
    EXPECT_EQ(result_.error().posix(), errno_value) << result_.error().to_string(); \
  } while (false)

}  // namespace cairn
