#include "tests/support/http_connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/ascii.h"

namespace cairn {
namespace {

constexpr size_t kMaxHeadBytes = 64 << 10;
constexpr uint64_t kMaxBodyBytes = 1ULL << 30;

// "GET /a HTTP/1.1\r\nhost: b\r\n", one line after the other.
std::optional<SeenRequest> parse_head(std::string_view head) {
  SeenRequest request;
  for (bool first = true; !head.empty(); first = false) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (first) {
      const size_t target = line.find(' ') + 1, version = line.rfind(" HTTP/1.1");
      if (target == 0 || version == std::string_view::npos || version < target) return std::nullopt;
      request.method = line.substr(0, target - 1);
      request.target = line.substr(target, version - target);
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    request.headers.push_back({lower_case(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
  }
  return request;
}

}  // namespace

HttpConnection::HttpConnection(UniqueFd socket, int stop_event) : socket_(std::move(socket)), stop_event_(stop_event) {
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::optional<SeenRequest> HttpConnection::read_head() {
  constexpr std::string_view kEnd = "\r\n\r\n";
  size_t end = 0;
  while ((end = received_.find(kEnd)) == std::string::npos) {
    if (received_.size() > kMaxHeadBytes || !receive_more()) return std::nullopt;
  }
  auto request = parse_head(std::string_view(received_).substr(0, end + 2));
  received_.erase(0, end + kEnd.size());
  if (!request) return std::nullopt;
  if (const auto length = request->header("content-length")) {
    std::from_chars(length->data(), length->data() + length->size(), request->body_bytes);
  }
  return request;
}

std::optional<std::string> HttpConnection::read_body(const SeenRequest& request) {
  if (request.body_bytes > kMaxBodyBytes) return std::nullopt;
  if (request.header("expect") == "100-continue" && !write("HTTP/1.1 100 Continue\r\n\r\n")) return std::nullopt;
  while (received_.size() < request.body_bytes) {
    if (!receive_more()) return std::nullopt;
  }
  std::string body = received_.substr(0, request.body_bytes);
  received_.erase(0, request.body_bytes);
  return body;
}

bool HttpConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    if (await(POLLOUT) != Woken::by_socket) return false;
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN) return false;
    bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(sent, 0)));
  }
  return true;
}

bool HttpConnection::wait(std::chrono::milliseconds time) {
  return await(POLLRDHUP, static_cast<int>(time.count())) == Woken::by_time;
}

void HttpConnection::hold() { await(POLLRDHUP); }

void HttpConnection::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket_.reset();
}

HttpConnection::Woken HttpConnection::await(short events, int timeout_ms) {
  pollfd both[] = {{stop_event_, POLLIN, 0}, {socket_.get(), events, 0}};
  int found = 0;
  do {
    found = ::poll(both, 2, timeout_ms);
  } while (found < 0 && errno == EINTR);
  if (found == 0) return Woken::by_time;
  return both[0].revents == 0 ? Woken::by_socket : Woken::by_stop;
}

bool HttpConnection::receive_more() {
  if (await(POLLIN) != Woken::by_socket) return false;
  const size_t before = received_.size();
  received_.resize(before + (256 << 10));
  const ssize_t got = ::recv(socket_.get(), received_.data() + before, received_.size() - before, MSG_DONTWAIT);
  received_.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

}  // namespace cairn
