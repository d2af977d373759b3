// A FuseSession between a FakeKernel and a MockFileSystem.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <utility>

#include "fs/fuse/fuse_session.h"
#include "tests/unit/fuse/fake_callers.h"
#include "tests/unit/fuse/fake_kernel.h"
#include "tests/unit/fuse/mock_file_system.h"

namespace cairn {

class FuseShellTest : public ::testing::Test {
 protected:
  static FuseSession::Options quick_options() {
    FuseSession::Options options;
    options.source = "mem:test";
    options.patience = {.between_looks = std::chrono::milliseconds(1), .unseen = std::chrono::nanoseconds(0)};
    options.stop_grace = std::chrono::nanoseconds(0);
    options.request_timeout = std::chrono::seconds(20);
    return options;
  }

  void SetUp() override {
    ON_CALL(files, set_page_sink).WillByDefault([this](FileSystemControl::NodePageSink sink) {
      page_sink = std::move(sink);
    });
  }

  void start(FuseSession::Options options = quick_options()) {
    options.connection = kernel.daemon_end();
    options.proc_directory = callers.path();
    const uint64_t init = kernel.send_init(offers_passthrough);
    auto opened = FuseSession::open(files, files, std::move(options));
    ASSERT_TRUE(opened) << opened.error().to_string();
    session = *std::move(opened);
    terms = kernel.wait(init).as<fuse_init_out>();
    runner = std::thread([this] { run_result = session->run(); });
  }

  // Waits for run() to return by itself.
  void wait_for_end() { runner.join(); }

  void TearDown() override {
    if (runner.joinable()) {
      session->stop();
      runner.join();
    }
    session.reset();
  }

  ::testing::NiceMock<MockFileSystem> files;
  FileSystemControl::NodePageSink page_sink;
  FakeKernel kernel;
  bool offers_passthrough = false;
  FakeCallers callers;
  fuse_init_out terms{};
  std::unique_ptr<FuseSession> session;
  Result<void> run_result;
  std::thread runner;
};

// A file with everything that an attribute can say.
inline NodeReply sample_file(NodeId node) {
  NodeReply reply;
  reply.node = node;
  reply.attributes.ino = 99;
  reply.attributes.mode = 0640;
  reply.attributes.uid = 1000;
  reply.attributes.gid = 100;
  reply.attributes.size_bytes = 12345;
  reply.attributes.blocks_512 = 25;
  reply.attributes.mtime = 1'700'000'000'123'456'789;
  reply.attributes.ctime = 1'700'000'001'000'000'001;
  reply.valid_for = std::chrono::milliseconds(750);
  return reply;
}

}  // namespace cairn
