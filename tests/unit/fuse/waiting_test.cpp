// Requests that wait: interrupted, stopped, abandoned, too many.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/work_slots.h"
#include "tests/support/gate.h"
#include "tests/unit/fuse/shell_fixture.h"

namespace cairn {
namespace {

// Reads wait at a gate that the test holds.
class FuseWaitingTest : public FuseShellTest {
 protected:
  void SetUp() override {
    FuseShellTest::SetUp();
    ON_CALL(files, read)
        .WillByDefault([this](HandleId, uint64_t, MutableByteView, const RequestContext& context) -> Result<size_t> {
          if (auto passed = gate.pass(context); !passed) return fail(passed.error());
          return size_t{0};
        });
  }
  void TearDown() override {
    gate.open();
    FuseShellTest::TearDown();
  }

  uint64_t send_read() {
    fuse_read_in body{};
    body.size = 4096;
    return kernel.send(FUSE_READ, 7, packed(body));
  }

  Gate gate;
};

TEST_F(FuseWaitingTest, a_signal_to_a_caller_who_cannot_be_seen_ends_its_request_with_eintr) {
  start();
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.interrupt(read);
  EXPECT_EQ(kernel.wait(read).error, EINTR);
}

TEST_F(FuseWaitingTest, a_signal_that_overtakes_its_request_still_ends_it) {
  start();
  kernel.interrupt(2 + 4);  // the number of the read below: INIT was 2, this is 4
  const uint64_t read = send_read();
  ASSERT_EQ(read, 2U + 4U);
  EXPECT_EQ(kernel.wait(read).error, EINTR);
}

TEST_F(FuseWaitingTest, a_request_that_ends_soon_after_a_signal_does_not_fail) {
  auto options = quick_options();
  options.patience.between_looks = std::chrono::hours(1);
  start(options);
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.interrupt(read);
  EXPECT_EQ(kernel.call(FUSE_STATFS, 1).error, 0);
  gate.open();
  EXPECT_EQ(kernel.wait(read).error, 0);
}

TEST_F(FuseWaitingTest, a_signal_gets_through_when_every_slot_is_taken) {
  auto options = quick_options();
  options.work_slots = 2;
  start(options);
  const uint64_t first = send_read();
  const uint64_t second = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(2));
  const uint64_t queued = send_read();
  kernel.interrupt(first);
  EXPECT_EQ(kernel.wait(first).error, EINTR);
  gate.open();
  EXPECT_EQ(kernel.wait(second).error, 0);
  EXPECT_EQ(kernel.wait(queued).error, 0);
}

TEST_F(FuseWaitingTest, a_forget_gets_through_when_every_slot_is_taken) {
  auto options = quick_options();
  options.work_slots = 1;
  start(options);
  Gate forgotten;
  EXPECT_CALL(files, forget(7, 1)).WillOnce([&](NodeId, uint64_t) {
    EXPECT_TRUE(forgotten.pass(RequestContext::within(std::chrono::seconds(20))));
  });
  forgotten.open();
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.send(FUSE_FORGET, 7, packed(fuse_forget_in{1}));
  EXPECT_TRUE(forgotten.wait_for_arrivals(1));
  gate.open();
  EXPECT_EQ(kernel.wait(read).error, 0);
}

// The requests of two threads were interrupted, and the second one is dying: by the time that is noticed, the first one
// was looked at as well.
TEST_F(FuseWaitingTest, a_handled_signal_ends_nothing) {
  callers.show(1, {.pending = SIGALRM, .handled = SIGALRM});
  callers.show(2, {.pending = SIGKILL});
  start();
  kernel.set_caller(1);
  const uint64_t handles = send_read();
  kernel.set_caller(2);
  const uint64_t dies = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(2));
  kernel.interrupt(handles);
  kernel.interrupt(dies);
  EXPECT_EQ(kernel.wait(dies).error, EINTR);
  EXPECT_FALSE(kernel.has_answer(handles));
  gate.open();
  EXPECT_EQ(kernel.wait(handles).error, 0);
}

TEST_F(FuseWaitingTest, a_kill_after_a_handled_signal_is_noticed_though_the_kernel_says_nothing) {
  callers.show(1, {.pending = SIGCHLD, .handled = SIGCHLD});
  start();
  kernel.set_caller(1);
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.interrupt(read);
  EXPECT_EQ(kernel.call(FUSE_STATFS, 1).error, 0);
  callers.show(1, {.pending = SIGKILL, .handled = SIGCHLD});
  EXPECT_EQ(kernel.wait(read).error, EINTR);
}

TEST_F(FuseWaitingTest, a_signal_that_leaves_a_core_ends_a_request) {
  callers.show(1, {.pending = SIGQUIT});
  start();
  kernel.set_caller(1);
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.interrupt(read);
  EXPECT_EQ(kernel.wait(read).error, EINTR);
}

TEST_F(FuseWaitingTest, a_handled_ctrl_c_ends_a_read_and_neither_a_page_fault_nor_a_flush) {
  callers.show(1, {.pending = SIGINT, .handled = SIGINT, .system_call = -1});
  callers.show(2, {.pending = SIGINT, .handled = SIGINT, .system_call = SYS_read});
  ON_CALL(files, flush).WillByDefault([this](HandleId, const RequestContext& context) { return gate.pass(context); });
  start();
  kernel.set_caller(1);
  const uint64_t fault = send_read();
  kernel.set_caller(2);
  const uint64_t flush = kernel.send(FUSE_FLUSH, 7, packed(fuse_flush_in{}));
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(3));
  for (const uint64_t request : {fault, flush, read}) kernel.interrupt(request);
  EXPECT_EQ(kernel.wait(read).error, EINTR);
  EXPECT_FALSE(kernel.has_answer(fault));
  EXPECT_FALSE(kernel.has_answer(flush));
  gate.open();
  EXPECT_EQ(kernel.wait(fault).error, 0);
  EXPECT_EQ(kernel.wait(flush).error, 0);
}

TEST_F(FuseWaitingTest, a_killed_process_that_closes_its_files_is_let_go_without_a_signal) {
  callers.show(1, {.exiting = true, .exit_code = SIGKILL});
  ON_CALL(files, flush).WillByDefault([this](HandleId, const RequestContext& context) { return gate.pass(context); });
  start();
  kernel.set_caller(1);
  EXPECT_EQ(kernel.call(FUSE_FLUSH, 7, packed(fuse_flush_in{})).error, EINTR);
}

TEST_F(FuseWaitingTest, a_process_that_exits_by_itself_is_waited_for_as_long_as_one_request) {
  callers.show(1, {.exiting = true});
  ON_CALL(files, flush).WillByDefault([this](HandleId, const RequestContext& context) { return gate.pass(context); });
  auto options = quick_options();
  options.patience.exiting = std::chrono::milliseconds(5);
  start(options);
  kernel.set_caller(1);
  EXPECT_EQ(kernel.call(FUSE_FLUSH, 7, packed(fuse_flush_in{})).error, EINTR);
}

TEST_F(FuseWaitingTest, a_killed_process_is_let_out_of_the_queue) {
  callers.show(2, {.pending = SIGKILL});
  auto options = quick_options();
  options.work_slots = 1;
  start(options);
  const uint64_t first = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.set_caller(2);
  const uint64_t queued = send_read();
  kernel.interrupt(queued);
  EXPECT_EQ(kernel.wait(queued).error, EINTR);
  gate.open();
  EXPECT_EQ(kernel.wait(first).error, 0);
}

TEST_F(FuseWaitingTest, a_thousand_requests_that_wait_for_the_store_take_no_slot) {
  ON_CALL(files, read)
      .WillByDefault([this](HandleId, uint64_t, MutableByteView, const RequestContext& context) -> Result<size_t> {
        const WithoutSlot waiting;
        if (auto passed = gate.pass(context); !passed) return fail(passed.error());
        return size_t{0};
      });
  auto options = quick_options();
  options.work_slots = 1;
  start(options);
  std::vector<uint64_t> reads;
  for (int i = 0; i < 1000; ++i) reads.push_back(send_read());
  EXPECT_TRUE(gate.wait_for_arrivals(1000));
  EXPECT_EQ(kernel.call(FUSE_STATFS, 1).error, 0);
  gate.open();
  for (const uint64_t read : reads) EXPECT_EQ(kernel.wait(read).error, 0);
}

TEST_F(FuseWaitingTest, what_queues_for_a_slot_is_served_when_its_holder_begins_to_wait) {
  Gate work;
  ON_CALL(files, read)
      .WillByDefault([&](HandleId, uint64_t, MutableByteView, const RequestContext& context) -> Result<size_t> {
        EXPECT_TRUE(work.pass(context));
        const WithoutSlot waiting;
        EXPECT_TRUE(gate.pass(context));
        return size_t{0};
      });
  auto options = quick_options();
  options.work_slots = 1;
  start(options);
  const uint64_t read = send_read();
  ASSERT_TRUE(work.wait_for_arrivals(1));
  const uint64_t queued = kernel.send(FUSE_STATFS, 1);
  work.open();
  EXPECT_EQ(kernel.wait(queued).error, 0);
  EXPECT_FALSE(kernel.has_answer(read));
  gate.open();
  EXPECT_EQ(kernel.wait(read).error, 0);
}

TEST_F(FuseWaitingTest, many_requests_wait_at_once) {
  start();
  std::vector<uint64_t> reads;
  for (int i = 0; i < 31; ++i) reads.push_back(send_read());
  EXPECT_TRUE(gate.wait_for_arrivals(31));
  gate.open();
  for (const uint64_t read : reads) EXPECT_EQ(kernel.wait(read).error, 0);
}

TEST_F(FuseWaitingTest, a_request_past_its_deadline_is_etimedout) {
  auto options = quick_options();
  options.request_timeout = std::chrono::milliseconds(1);
  start(options);
  EXPECT_EQ(kernel.wait(send_read()).error, ETIMEDOUT);
}

TEST_F(FuseWaitingTest, stop_ends_run_though_a_request_waits) {
  start();
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  session->stop();
  wait_for_end();
  EXPECT_TRUE(run_result);
  EXPECT_EQ(kernel.wait(read).error, EINTR);
}

// In a process of its own, for that is what must end afterwards.
TEST_F(FuseWaitingTest, a_request_that_nothing_can_end_does_not_keep_the_mount_up) {
  const auto serve_until_stopped = [this] {
    ON_CALL(files, read).WillByDefault([this](HandleId, uint64_t, MutableByteView, const RequestContext&) {
      (void)gate.pass(RequestContext::within(std::chrono::hours(1)));
      return Result<size_t>(size_t{0});
    });
    auto options = quick_options();
    options.end_patience = std::chrono::nanoseconds(0);
    start(options);
    send_read();
    const bool arrived = gate.wait_for_arrivals(1);
    session->stop();
    wait_for_end();
    session.reset();
    const bool as_expected = arrived && !run_result && run_result.error().code() == Errc::deadline_exceeded;
    // Past TSan's _exit, which reports the thread that is meant to be left behind.
    ::syscall(SYS_exit_group, as_expected ? 0 : 1);
  };
  EXPECT_EXIT(serve_until_stopped(), ::testing::ExitedWithCode(0), "");
}

TEST_F(FuseWaitingTest, stop_gives_requests_in_flight_the_time_to_finish) {
  auto options = quick_options();
  options.stop_grace = std::chrono::hours(1);
  start(options);
  const uint64_t read = send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  session->stop();
  gate.open();
  EXPECT_EQ(kernel.wait(read).error, 0);
  wait_for_end();
}

TEST_F(FuseWaitingTest, stop_before_run_ends_it_at_once) {
  start();
  session->stop();
  session->stop();
  wait_for_end();
  EXPECT_TRUE(run_result);
}

TEST_F(FuseWaitingTest, a_destroy_of_the_kernel_ends_run) {
  start();
  EXPECT_EQ(kernel.call(FUSE_DESTROY, 0).error, 0);
  wait_for_end();
  EXPECT_TRUE(run_result);
}

TEST_F(FuseWaitingTest, an_unmount_ends_run_and_the_requests_that_nobody_waits_for) {
  start();
  send_read();
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.hang_up();
  wait_for_end();
  EXPECT_TRUE(run_result);
}

TEST_F(FuseWaitingTest, a_lookup_that_the_kernel_no_longer_wants_is_given_back) {
  ON_CALL(files, lookup).WillByDefault([this](NodeId, const std::string&, const RequestContext& context) {
    (void)gate.pass(context);
    return Result<NodeReply>(sample_file(7));
  });
  EXPECT_CALL(files, forget(7, 1));
  start();
  kernel.send(FUSE_LOOKUP, 1, packed("model.pt"));
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.hang_up();
  wait_for_end();
}

TEST_F(FuseWaitingTest, an_open_that_the_kernel_no_longer_wants_is_released) {
  ON_CALL(files, open_file).WillByDefault([this](NodeId, int, const Caller&, const RequestContext& context) {
    (void)gate.pass(context);
    return Result<OpenReply>(OpenReply{55, true});
  });
  EXPECT_CALL(files, release(55));
  start();
  kernel.send(FUSE_OPEN, 7, packed(fuse_open_in{}));
  ASSERT_TRUE(gate.wait_for_arrivals(1));
  kernel.hang_up();
  wait_for_end();
}

TEST_F(FuseWaitingTest, a_kernel_that_never_speaks_is_an_error_of_open) {
  auto options = quick_options();
  options.connection = kernel.daemon_end();
  kernel.hang_up();
  const auto opened = FuseSession::open(files, files, options);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Errc::io);
}

}  // namespace
}  // namespace cairn
