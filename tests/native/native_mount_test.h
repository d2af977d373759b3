// What both tests of this folder start from: workers, a host with images, its mount, and another host of the store.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/native/mounted_host.h"
#include "tests/native/worker.h"

namespace cairn {

class NativeMountTest : public ::testing::Test {
 protected:
  static constexpr size_t kWorkers = 4;
  static constexpr size_t kMaxBytes = 150'000;  // three chunks

  void SetUp() override {
    if (const std::string why = MountedHost::why_not(); !why.empty()) {
      ASSERT_EQ(std::getenv("CAIRN_REQUIRE_FUSE"), nullptr) << why;
      GTEST_SKIP() << why;
    }
    MountedHost::leave_the_mounts();
    for (size_t i = 0; i < kWorkers; ++i) workers.push_back(std::make_unique<Worker>());
    images = std::make_unique<FileImageCache>();
    a = std::make_unique<TestHost>(store.objects(), TestHostOptions{.host = "host-a", .images = images.get()});
    b = std::make_unique<TestHost>(store.objects(), TestHostOptions{.host = "host-b"});
    mount = std::make_unique<MountedHost>(*a, images->path().string());
    std::cout << "native reads: " << (is_native_possible() ? "yes" : native_reads().why_not) << '\n';
  }
  void TearDown() override {
    workers.clear();
    mount.reset();
  }

  [[nodiscard]] NativeReads native_reads() const { return a->files().stats().native_reads; }
  [[nodiscard]] bool is_native_possible() const { return native_reads().why_not.empty(); }
  uint64_t any(uint64_t below) { return random() % below; }
  std::string some_name() { return std::string(1, static_cast<char>('a' + any(4))); }

  // How long the test goes on: `steps`, or what the environment says.
  static uint64_t steps_or(uint64_t steps) {
    const char* wanted = std::getenv("CAIRN_NATIVE_STEPS");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : steps;
  }

  std::mt19937_64 random{test_seed()};
  std::vector<std::unique_ptr<Worker>> workers;
  TestStore store;
  std::unique_ptr<FileImageCache> images;
  std::unique_ptr<TestHost> a;
  std::unique_ptr<TestHost> b;
  std::unique_ptr<MountedHost> mount;
};

}  // namespace cairn
