// What the tests of namespaces share.
#pragma once

#include <thread>

#include "store/directories/namespace.h"
#include "tests/unit/store/directories/directory_fixture.h"

namespace cairn {

// A host with its namespace and the root directory.
struct Mount {
  Mount(ObjectStore& objects, const std::string& name) : host(objects, name), tree(host.environment()) {
    auto opened = tree.open(kRootId, test_context());
    EXPECT_TRUE(opened) << opened.error().to_string();
    root = *opened;
  }
  // The newest state of `directory`, as this host's own object for it.
  std::shared_ptr<Directory> fresh(EntryId id) {
    auto opened = tree.open(id, test_context());
    EXPECT_TRUE(opened) << opened.error().to_string();
    EXPECT_TRUE((*opened)->refresh(std::chrono::nanoseconds(0), test_context()));
    return *opened;
  }

  Host host;
  Namespace tree;
  std::shared_ptr<Directory> root;
};

inline Attributes plain() {
  Attributes attributes;
  attributes.mode = 0755;
  return attributes;
}

inline std::shared_ptr<Directory> make(Mount& mount, Directory& parent, const std::string& name) {
  const auto entry = mount.tree.make_directory(parent, name, plain(), test_context());
  EXPECT_TRUE(entry) << entry.error().to_string();
  return *mount.tree.open(entry->id, test_context());
}

}  // namespace cairn
