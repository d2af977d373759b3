// What most tests of fs/ start from: a store, and one or two hosts of it.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/support/faulty_object_store.h"
#include "tests/support/test_host.h"

namespace cairn {

// "text" or why not, so that a failed expectation says it.
inline std::string content_or_error(const Result<std::string>& result) {
  return result ? *result : "<" + result.error().to_string() + ">";
}

class OneHost : public ::testing::Test {
 protected:
  std::string read(const std::string& path) { return content_or_error(host.read(path)); }
  NodeAttributes stat(const std::string& path) {
    const auto reply = host.stat(path);
    EXPECT_TRUE(reply) << path << ": " << reply.error().to_string();
    return reply ? reply->attributes : NodeAttributes{};
  }
  HandleId open(const std::string& path, int flags) {
    const auto handle = host.open(path, flags);
    EXPECT_TRUE(handle) << path << ": " << handle.error().to_string();
    return handle.value_or(0);
  }
  void write(const std::string& path, std::string_view content) {
    const auto written = host.write(path, content);
    EXPECT_TRUE(written) << path << ": " << written.error().to_string();
  }

  TestStore store;
  FaultyObjectStore objects{store.objects()};
  TestHost host{objects};
};

class TwoHosts : public ::testing::Test {
 protected:
  std::string read(TestHost& host, const std::string& path) { return content_or_error(host.read(path)); }

  TestStore store;
  FaultyObjectStore objects{store.objects()};
  TestHost a{objects, {.host = "host-a"}};
  TestHost b{objects, {.host = "host-b"}};
};

}  // namespace cairn
