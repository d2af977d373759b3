#include "daemon/control.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>

#include "base/wait.h"
#include "tests/support/gate.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

constexpr std::chrono::seconds kPatience{20};
constexpr std::chrono::milliseconds kImpatience{50};

class Control : public testing::Test {
 protected:
  std::unique_ptr<ControlServer> serve(ControlServer::Handler handler) {
    auto server = ControlServer::open(path_, std::move(handler));
    EXPECT_TRUE(server) << server.error().message();
    return std::move(*server);
  }

  // As a daemon that was killed leaves it.
  void leave_stale_socket() {
    std::filesystem::create_directories(home_.path() / "run");
    const Result<sockaddr_un> address = socket_address(path_);
    const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address), 0);
  }

  TemporaryDirectory home_;
  const std::string path_ = home_.path() / "run/mnt.sock";
};

Result<Json> echo(const Json& request, const ProgressFunction&, const std::stop_token&) { return request; }

TEST_F(Control, a_request_is_answered_with_the_handlers_result) {
  const auto server = serve(echo);
  const Json request = {{"op", "x"}, {"text", "line\nbreak \"quoted\" ü"}};
  const Result<Json> answer = control_call(path_, request, kPatience);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(*answer, request);
}

TEST_F(Control, an_error_arrives_with_its_code_and_message) {
  const auto server = serve([](const Json&, const ProgressFunction&, const std::stop_token&) -> Result<Json> {
    return fail(Errc::no_space, "the disk is full");
  });
  Result<ControlCall> call = ControlCall::send(path_, {{"op", "x"}});
  ASSERT_TRUE(call);
  const Result<Json> answer = call->wait(kPatience);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::no_space);
  EXPECT_EQ(answer.error().message(), "the disk is full");
  EXPECT_TRUE(call->answered());
  EXPECT_EQ(call->daemon_pid(), ::getpid());
}

TEST_F(Control, progress_arrives_in_order_before_the_result) {
  const auto server = serve([](const Json&, const ProgressFunction& progress, const std::stop_token&) -> Result<Json> {
    for (int i = 0; i < 3; ++i) progress({{"done", i}});
    return Json{{"done", 3}};
  });
  std::vector<int> seen;
  const Result<Json> answer = control_call(path_, {{"op", "x"}}, kPatience,
                                           [&](const Json& now) { seen.push_back(now.at("done").get<int>()); });
  ASSERT_TRUE(answer);
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2}));
}

TEST_F(Control, a_silent_daemon_is_given_up_after_the_deadline) {
  const auto gate = std::make_shared<Gate>();
  const auto server = serve([gate](const Json&, const ProgressFunction&, const std::stop_token& stop) -> Result<Json> {
    const auto passed = gate->pass(RequestContext::within(kPatience, Cause::demand, stop));
    return passed ? Result<Json>(Json::object()) : fail(passed.error());
  });
  Result<ControlCall> call = ControlCall::send(path_, {{"op", "x"}});
  ASSERT_TRUE(call);
  const Result<Json> answer = call->wait(kImpatience);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), Errc::deadline_exceeded);
  EXPECT_FALSE(call->answered());
}

TEST_F(Control, a_client_that_hangs_up_stops_its_request) {
  const auto stopped = std::make_shared<Gate>();
  const auto entered = std::make_shared<Gate>();
  const auto server = serve([=](const Json&, const ProgressFunction&, const std::stop_token& stop) -> Result<Json> {
    const std::stop_callback tell(stop, [&] { stopped->open(); });
    entered->open();
    (void)stopped->pass(test_context());
    return Json::object();
  });
  {
    const Result<ControlCall> call = ControlCall::send(path_, {{"op", "x"}});
    ASSERT_TRUE(call);
    ASSERT_TRUE(entered->pass(test_context()));
  }
  EXPECT_TRUE(stopped->pass(test_context()));
}

TEST_F(Control, the_end_of_the_server_stops_its_requests_and_removes_the_socket) {
  const auto entered = std::make_shared<Gate>();
  auto server = serve([=](const Json&, const ProgressFunction&, const std::stop_token& stop) -> Result<Json> {
    entered->open();
    Gate never;
    return fail(never.pass(RequestContext::within(kPatience, Cause::demand, stop)).error());
  });
  Result<ControlCall> call = ControlCall::send(path_, {{"op", "x"}});
  ASSERT_TRUE(call);
  ASSERT_TRUE(entered->pass(test_context()));
  server.reset();
  EXPECT_EQ(call->wait(kPatience).error().code(), Errc::cancelled);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Control, nobody_there_is_told_from_nobody_there_any_more) {
  EXPECT_EQ(ControlCall::send(path_, {}).error().code(), Errc::not_found);
  leave_stale_socket();
  EXPECT_EQ(ControlCall::send(path_, {}).error().code(), Errc::unavailable);
}

TEST_F(Control, a_dead_daemons_socket_is_replaced_and_a_live_ones_is_not) {
  leave_stale_socket();
  const auto server = serve(echo);
  const auto second = ControlServer::open(path_, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Errc::already_exists);
  EXPECT_TRUE(control_call(path_, {{"op", "x"}}, kPatience));
}

TEST_F(Control, of_many_that_find_a_dead_daemons_socket_one_has_it) {
  for (int round = 0; round < 20; ++round) {
    leave_stale_socket();
    std::vector<std::future<Result<std::unique_ptr<ControlServer>>>> daemons;
    for (int i = 0; i < 8; ++i) {
      daemons.push_back(std::async(std::launch::async, [&] { return ControlServer::open(path_, echo); }));
    }
    std::vector<std::unique_ptr<ControlServer>> serving;
    for (auto& daemon : daemons) {
      auto server = daemon.get();
      if (server) serving.push_back(std::move(*server));
    }
    EXPECT_EQ(serving.size(), 1U);
    EXPECT_TRUE(control_call(path_, {{"op", "x"}}, kPatience));
  }
}

// A client in the backlog makes the listener ready for as long as it is not accepted.
TEST_F(Control, a_process_without_descriptors_does_not_spin) {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "the sanitizer opens pipes to look at memory, and takes it for bad where it cannot";
#endif
#endif
  const auto server = serve(echo);
  auto client = ControlCall::send(path_, {{"op", "first"}});
  ASSERT_TRUE(client && client->wait(kPatience));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const rlimit none{.rlim_cur = static_cast<rlim_t>(socket.get()) + 1, .rlim_max = before.rlim_max};
  std::vector<UniqueFd> taken;  // what is free below the limit
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken.emplace_back(fd);
  const auto address = socket_address(path_);
  ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address), 0);
  const std::clock_t began = std::clock();
  ASSERT_TRUE(pause(std::chrono::milliseconds(400), test_context()));
  const auto cpu = std::chrono::milliseconds((std::clock() - began) * 1000 / CLOCKS_PER_SEC);
  taken.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_LT(cpu, std::chrono::milliseconds(100));
  EXPECT_TRUE(control_call(path_, {{"op", "x"}}, kPatience));
}

TEST_F(Control, what_is_no_request_is_refused_and_the_server_goes_on) {
  const auto server = serve(echo);
  for (const std::string_view bad : {"", "{", "[1]", "\xff\xfe", "null"}) {
    Result<LineSocket> socket = LineSocket::connect(path_);
    ASSERT_TRUE(socket);
    ASSERT_TRUE(socket->write_line(bad, test_context()));
    const Result<std::string> answer = socket->read_line(test_context());
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->find("invalid argument"), std::string::npos) << *answer;
  }
  EXPECT_TRUE(control_call(path_, {{"op", "x"}}, kPatience));
}

TEST_F(Control, many_clients_are_served_at_once) {
  const auto gate = std::make_shared<Gate>();
  const auto server =
      serve([gate](const Json& request, const ProgressFunction&, const std::stop_token&) -> Result<Json> {
        (void)gate->pass(test_context());
        return request;
      });
  std::vector<ControlCall> calls;
  for (int i = 0; i < 10; ++i) {
    Result<ControlCall> call = ControlCall::send(path_, {{"n", i}});
    ASSERT_TRUE(call);
    calls.push_back(std::move(*call));
  }
  ASSERT_TRUE(gate->wait_for_arrivals(10));
  gate->open();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(calls[static_cast<size_t>(i)].wait(kPatience)->at("n"), i);
}

TEST(ControlSocket, a_path_that_is_too_long_says_how_to_shorten_it) {
  const Result<sockaddr_un> address = socket_address("/" + std::string(200, 'x'));
  ASSERT_FALSE(address);
  EXPECT_NE(address.error().message().find("CAIRNFS_RUNTIME_DIR"), std::string::npos);
}

}  // namespace
}  // namespace cairn
