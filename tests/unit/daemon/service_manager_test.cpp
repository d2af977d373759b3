#include "daemon/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>

#include "base/unique_fd.h"
#include "tests/support/test_environment.h"

namespace cairn {
namespace {

// A manager's end, under `name` as $NOTIFY_SOCKET has it.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& name) : socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    if (name.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  }
  // "" if nothing has come.
  std::string received() {
    std::array<char, 256> text{};
    const ssize_t got = ::recv(socket_.get(), text.data(), text.size(), MSG_DONTWAIT);
    return got < 0 ? "" : std::string(text.data(), static_cast<size_t>(got));
  }

 private:
  UniqueFd socket_;
};

TEST(ServiceManager, hears_what_it_is_told) {
  const TemporaryDirectory directory;
  for (const std::string& name : {(directory.path() / "notify").string(), "@cairn" + directory.path().string()}) {
    NotifySocket manager(name);
    tell_service_manager({.variables = {{"NOTIFY_SOCKET", name}}}, "READY=1\nSTATUS=serving");
    EXPECT_EQ(manager.received(), "READY=1\nSTATUS=serving") << name;
  }
}

TEST(ServiceManager, that_is_not_there_is_told_nothing) {
  tell_service_manager({}, "READY=1");
  tell_service_manager({.variables = {{"NOTIFY_SOCKET", "/no/such/socket"}}}, "READY=1");
  tell_service_manager({.variables = {{"NOTIFY_SOCKET", "/" + std::string(300, 'x')}}}, "READY=1");
}

TEST(ServiceManager, that_listens_to_nobody_keeps_nobody_waiting) {
  const TemporaryDirectory directory;
  const std::string name = directory.path() / "notify";
  const NotifySocket manager(name);
  for (int i = 0; i < 10'000; ++i) tell_service_manager({.variables = {{"NOTIFY_SOCKET", name}}}, "STATUS=serving");
}

}  // namespace
}  // namespace cairn
