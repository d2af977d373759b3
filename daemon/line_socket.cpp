#include "daemon/line_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace cairn {

namespace {

constexpr size_t kMaxLine = 1U << 20;
// A wait looks at its stop token this often.
constexpr std::chrono::milliseconds kStopPoll{50};

int poll_timeout_ms(const RequestContext& context) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(context.remaining());
  const auto limit = context.stop.stop_possible() ? kStopPoll : std::chrono::milliseconds(60'000);
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), limit).count());
}

}  // namespace

Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid_argument, "{}: too long for a socket; set CAIRNFS_RUNTIME_DIR to a shorter directory",
                path);
  }
  address.sun_family = AF_UNIX;
  std::memcpy(&address.sun_path[0], path.data(), path.size());
  return address;
}

Result<LineSocket> LineSocket::connect(const std::string& path) {
  const Result<sockaddr_un> address = socket_address(path);
  if (!address) return fail(address.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(error_from_errno(errno, "socket"));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0) {
    return LineSocket(std::move(fd));
  }
  if (errno == ECONNREFUSED || errno == EAGAIN) return fail(Errc::unavailable, "{}: {}", path, std::strerror(errno));
  return fail(error_from_errno(errno, path));
}

Result<void> LineSocket::wait_for(short events, const RequestContext& context) const {
  while (true) {
    const Result<void> go_on = context.check();
    if (!go_on) return go_on;
    pollfd waiting{fd_.get(), events, 0};
    if (::poll(&waiting, 1, poll_timeout_ms(context)) > 0) return {};
  }
}

Result<void> LineSocket::receive_more() {
  std::array<char, 4096> bytes{};
  const ssize_t count = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (count > 0) {
    received_.append(bytes.data(), static_cast<size_t>(count));
    return {};
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  return fail(Errc::unavailable, "the other end is gone");
}

Result<std::string> LineSocket::read_line(const RequestContext& context) {
  while (true) {
    if (const size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    if (received_.size() > kMaxLine) return fail(Errc::invalid_argument, "a line of more than a megabyte");
    Result<void> more = wait_for(POLLIN, context);
    if (more) more = receive_more();
    if (!more) return fail(more.error());
  }
}

Result<void> LineSocket::write_line(std::string_view line, const RequestContext& context) {
  std::string rest = std::string(line) + "\n";
  while (!rest.empty()) {
    const Result<void> ready = wait_for(POLLOUT, context);
    if (!ready) return ready;
    const ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) rest.erase(0, static_cast<size_t>(sent));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return fail(Errc::unavailable, "the other end is gone");
  }
  return {};
}

}  // namespace cairn
