#include "fs/fuse/page_pusher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include "tests/support/gate.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr size_t kPage = 4096;

SharedBuffer pages(size_t count) { return std::make_shared<const Buffer>(random_bytes(count * kPage, count)); }

// What reached "the kernel", which lets a push through only when the gate is open.
class SlowKernel {
 public:
  struct Push {
    NodeId node = 0;
    uint64_t offset = 0;
    size_t size = 0;
    bool operator==(const Push&) const = default;
  };

  PagePusher::Store store() {
    return [this](NodeId node, uint64_t offset, ByteView bytes) {
      (void)gate.pass(test_context());
      const std::lock_guard lock(mutex_);
      pushes_.push_back({node, offset, bytes.size()});
      return error.load();
    };
  }
  std::vector<Push> pushes() {
    const std::lock_guard lock(mutex_);
    return pushes_;
  }

  Gate gate;
  std::atomic<int> error{0};

 private:
  std::mutex mutex_;
  std::vector<Push> pushes_;  // guarded by mutex_
};

using Pushes = std::vector<SlowKernel::Push>;

TEST(PagePusherTest, a_node_is_forgotten_after_what_was_queued_for_it) {
  SlowKernel kernel;
  std::vector<std::string> calls;  // the pusher's thread writes, and forget() waits for it
  PagePusher pusher(kernel.store(), 16 << 20, [&](NodeId node, uint64_t from, uint64_t length) {
    calls.push_back(fmt::format("{} from {} for {}", node, from, length));
  });
  const auto chunk = std::make_shared<const Buffer>(random_bytes(kPage, 1));
  pusher.push(8, 0, chunk->view(), chunk);  // under way, behind the gate
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));
  pusher.push(7, 0, chunk->view(), chunk);
  kernel.gate.open();
  pusher.forget(7, 100);
  pusher.forget(8, 0, 4096);
  EXPECT_EQ(calls, (std::vector<std::string>{"7 from 100 for 0", "8 from 0 for 4096"}));
  EXPECT_TRUE(pusher.stop(std::chrono::seconds(20)));
  pusher.forget(7, 0);  // of a mount that is gone: nothing to do
}

TEST(PagePusherTest, a_long_stretch_goes_to_the_kernel_in_pieces) {
  SlowKernel kernel;
  kernel.gate.open();
  PagePusher pusher(kernel.store(), 16 << 20);
  const auto chunk = std::make_shared<const Buffer>(random_bytes((1 << 20) + 100, 1));
  pusher.push(7, 2 * kPage, chunk->view(), chunk);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(2));
  EXPECT_TRUE(pusher.stop(std::chrono::seconds(20)));
  EXPECT_EQ(kernel.pushes(), (Pushes{{7, 2 * kPage, 1 << 20}, {7, 2 * kPage + (1 << 20), 100}}));
}

TEST(PagePusherTest, a_full_queue_drops_and_never_blocks) {
  SlowKernel kernel;
  PagePusher pusher(kernel.store(), 4 * kPage);
  const SharedBuffer chunk = pages(3);
  pusher.push(7, 0, chunk->view(), chunk);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));  // in progress: no longer in the queue
  EXPECT_TRUE(pusher.push(7, 3 * kPage, chunk->view(), chunk));
  EXPECT_FALSE(pusher.push(7, 6 * kPage, chunk->view(), chunk));
  EXPECT_EQ(pusher.dropped_bytes(), 3 * kPage);
  kernel.gate.open();
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(2));
}

TEST(PagePusherTest, drain_forgets_what_is_queued_for_the_node) {
  SlowKernel kernel;
  PagePusher pusher(kernel.store(), 1 << 20);
  const SharedBuffer chunk = pages(1);
  pusher.push(8, 0, chunk->view(), chunk);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));
  pusher.push(7, 0, chunk->view(), chunk);
  pusher.push(9, 0, chunk->view(), chunk);
  pusher.drain(7);  // another node's push in progress is none of its business
  kernel.gate.open();
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(2));
  EXPECT_TRUE(pusher.stop(std::chrono::seconds(20)));
  EXPECT_EQ(kernel.pushes(), (Pushes{{8, 0, kPage}, {9, 0, kPage}}));
}

TEST(PagePusherTest, drain_returns_after_the_push_in_progress) {
  SlowKernel kernel;
  PagePusher pusher(kernel.store(), 1 << 20);
  const SharedBuffer chunk = pages(1);
  pusher.push(7, 0, chunk->view(), chunk);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));
  size_t pushes_when_settled = 0;
  std::thread settling([&] {
    pusher.drain(7);
    pushes_when_settled = kernel.pushes().size();
  });
  kernel.gate.open();
  settling.join();
  EXPECT_EQ(pushes_when_settled, 1U);
}

TEST(PagePusherTest, drain_waits_for_one_piece_and_not_for_the_rest_of_a_long_push) {
  SlowKernel kernel;
  PagePusher pusher(kernel.store(), 16 << 20);
  const SharedBuffer chunk = pages(1024);
  pusher.push(7, 0, chunk->view(), chunk);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));
  std::thread settling([&] { pusher.drain(7); });
  kernel.gate.open();
  settling.join();
  EXPECT_LE(kernel.pushes().size(), 4U);
}

TEST(PagePusherTest, a_node_that_the_kernel_forgot_costs_one_attempt) {
  SlowKernel kernel;
  kernel.error = -ENOENT;
  kernel.gate.open();
  PagePusher pusher(kernel.store(), 16 << 20);
  const SharedBuffer chunk = pages(1024);  // four pieces
  const SharedBuffer other = pages(1);
  pusher.push(7, 0, chunk->view(), chunk);
  pusher.push(8, 0, other->view(), other);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(2));
  EXPECT_TRUE(pusher.stop(std::chrono::seconds(20)));
  EXPECT_EQ(kernel.pushes(), (Pushes{{7, 0, 1 << 20}, {8, 0, kPage}}));
  EXPECT_EQ(pusher.pushed_bytes(), 0U);
}

TEST(PagePusherTest, the_chunk_is_let_go_once_its_pages_are_delivered) {
  SlowKernel kernel;
  kernel.gate.open();
  PagePusher pusher(kernel.store(), 1 << 20);
  SharedBuffer chunk = pages(1);
  const std::weak_ptr<const Buffer> watched = chunk;
  pusher.push(7, 0, chunk->view(), chunk);
  chunk.reset();
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));
  EXPECT_TRUE(pusher.stop(std::chrono::seconds(20)));
  EXPECT_TRUE(watched.expired());
}

TEST(PagePusherTest, stop_tells_of_a_push_that_does_not_end) {
  SlowKernel kernel;
  PagePusher pusher(kernel.store(), 1 << 20);
  const SharedBuffer chunk = pages(1);
  pusher.push(7, 0, chunk->view(), chunk);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));
  EXPECT_FALSE(pusher.stop(std::chrono::nanoseconds(0)));
  kernel.gate.open();
  EXPECT_TRUE(pusher.stop(std::chrono::seconds(20)));
}

TEST(PagePusherTest, stop_drops_the_queue_and_what_comes_later) {
  SlowKernel kernel;
  PagePusher pusher(kernel.store(), 1 << 20);
  const SharedBuffer chunk = pages(1);
  pusher.push(7, 0, chunk->view(), chunk);
  ASSERT_TRUE(kernel.gate.wait_for_arrivals(1));
  pusher.push(7, kPage, chunk->view(), chunk);
  std::thread stopping([&] { EXPECT_TRUE(pusher.stop(std::chrono::seconds(20))); });
  kernel.gate.open();
  stopping.join();
  pusher.push(7, 2 * kPage, chunk->view(), chunk);
  EXPECT_LE(kernel.pushes().size(), 2U);
}

}  // namespace
}  // namespace cairn
