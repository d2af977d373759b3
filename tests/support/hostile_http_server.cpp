#include "tests/support/hostile_http_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "base/mutex.h"
#include "tests/support/http_delivery.h"

namespace cairn {
namespace {

constexpr int kBacklog = 128;

bool matches(const SeenRequest& request, std::string_view method, std::string_view target_part) {
  return (method.empty() || request.method == method) && request.target.find(target_part) != std::string::npos;
}

sockaddr_in loopback(in_port_t port_in_network_order) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = port_in_network_order;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr_in address_of(const UniqueFd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0, "a listener has an address");
  return address;
}

}  // namespace

HostileHttpServer::HostileHttpServer(std::string bucket, Hook hook)
    : bucket_(std::move(bucket)),
      hook_(std::move(hook)),
      s3_(bucket_),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      stop_event_(::eventfd(0, EFD_CLOEXEC)) {
  listen();
  acceptor_ = std::thread([this] { accept_connections(); });
}

HostileHttpServer::~HostileHttpServer() {
  stop_.request_stop();
  check(::eventfd_write(stop_event_.get(), 1) == 0, "an eventfd can be written");
  acceptor_.join();
  for (Session& session : sessions_) session.thread.join();
}

void HostileHttpServer::listen() {
  const sockaddr_in any_port = loopback(0);
  check(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&any_port), sizeof any_port) == 0 &&
            ::listen(listener_.get(), kBacklog) == 0,
        "a free port of the loopback interface can be had");
  endpoint_ = fmt::format("http://127.0.0.1:{}", ntohs(address_of(listener_).sin_port));
}

void HostileHttpServer::accept_connections() {
  pollfd both[] = {{stop_event_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
  while (!stop_.stop_requested()) {
    ::poll(both, 2, -1);
    MutexLock lock(mutex_);
    if (!changed_.wait(lock, stop_.get_token(), [this]() CAIRN_REQUIRES(mutex_) { return !black_hole_; })) return;
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid()) continue;
    ++connections_;
    std::erase_if(sessions_, [](Session& session) {
      if (!session.ended) return false;
      session.thread.join();
      return true;
    });
    Session& session = sessions_.emplace_back();
    session.thread = std::thread([this, &session, fd = socket.release()] {
      serve(UniqueFd(fd));
      session.ended = true;
    });
  }
}

void HostileHttpServer::serve(UniqueFd socket) {
  HttpConnection connection(std::move(socket), stop_event_.get());
  while (serve_one(connection)) continue;
}

bool HostileHttpServer::serve_one(HttpConnection& connection) {
  const auto request = connection.read_head();
  if (!request) return false;
  const HttpRule rule = enter(*request);
  const bool unread = rule.delivery == HttpDelivery::close_unread || rule.delivery == HttpDelivery::read_nothing;
  const auto body = unread ? std::string() : connection.read_body(*request);
  if (!body || !pass_gate(rule)) return false;
  if (in_black_hole()) {
    connection.hold();
    return false;
  }
  std::optional<HttpReply> reply = hook_ ? hook_(*request, *body) : std::nullopt;
  if (!reply) {
    const bool asks_s3 = rule.happens || (!rule.reply && sends_answer(rule.delivery));
    const HttpReply honest = asks_s3 ? s3_.handle(*request, *body) : HttpReply{};
    reply = rule.reply.value_or(honest);
  }
  return deliver(connection, *request, *reply, rule) && request->header("connection") != "close";
}

bool HostileHttpServer::in_black_hole() const {
  const MutexLock lock(mutex_);
  return black_hole_;
}

bool HostileHttpServer::pass_gate(const HttpRule& rule) {
  const auto patience = RequestContext::within(std::chrono::seconds(60), Cause::demand, stop_.get_token());
  return !rule.gate || rule.gate->pass(patience).has_value();
}

HttpRule HostileHttpServer::enter(const SeenRequest& request) {
  const MutexLock lock(mutex_);
  requests_.push_back(request);
  changed_.notify_all();
  std::optional<HttpRule> hit;
  for (auto& [rule, seen] : rules_) {
    if (!matches(request, rule.method, rule.target_part)) continue;
    ++seen;
    if (!hit && seen >= rule.nth && seen - rule.nth < rule.times) hit = rule;
  }
  return hit.value_or(HttpRule{});
}

void HostileHttpServer::add(HttpRule rule) {
  const MutexLock lock(mutex_);
  rules_.push_back({std::move(rule)});
}

void HostileHttpServer::black_hole() {
  const MutexLock lock(mutex_);
  black_hole_ = true;
  // The kernel drops what asks for a connection when the backlog is full: it is made short, and filled.
  check(::listen(listener_.get(), 0) == 0, "a backlog can be shortened");
  const sockaddr_in here = address_of(listener_);
  for (int i = 0; i < 4; ++i) {
    UniqueFd& filler = fillers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    std::ignore = ::connect(filler.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here);
  }
}

void HostileHttpServer::heal() {
  const MutexLock lock(mutex_);
  rules_.clear();
  black_hole_ = false;
  fillers_.clear();
  check(::listen(listener_.get(), kBacklog) == 0, "a backlog can be lengthened");
  changed_.notify_all();
}

std::vector<SeenRequest> HostileHttpServer::requests() const {
  const MutexLock lock(mutex_);
  return requests_;
}

uint64_t HostileHttpServer::count(std::string_view method, std::string_view target_part) const {
  const MutexLock lock(mutex_);
  return static_cast<uint64_t>(std::count_if(requests_.begin(), requests_.end(), [&](const SeenRequest& request) {
    return matches(request, method, target_part);
  }));
}

uint64_t HostileHttpServer::connections() const {
  const MutexLock lock(mutex_);
  return connections_;
}

void HostileHttpServer::forget_requests() {
  const MutexLock lock(mutex_);
  requests_.clear();
}

bool HostileHttpServer::wait_for_requests(uint64_t count) {
  MutexLock lock(mutex_);
  return changed_.wait_for(lock, {}, std::chrono::seconds(30),
                           [&]() CAIRN_REQUIRES(mutex_) { return requests_.size() >= count; });
}

}  // namespace cairn
