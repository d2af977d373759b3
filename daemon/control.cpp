#include "daemon/control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>

#include "base/log.h"
#include "base/wait.h"
#include "cache/local_files.h"

namespace cairn {

namespace {

constexpr std::chrono::seconds kSendTimeout{5};
constexpr std::chrono::seconds kLockTimeout{5};
constexpr std::chrono::milliseconds kLockPoll{20};
constexpr int kBacklog = 16;
constexpr size_t kMaxConnections = 64;

Errc parse_errc(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Errc::io); ++i) {
    if (to_string(static_cast<Errc>(i)) == text) return static_cast<Errc>(i);
  }
  return Errc::io;
}

Json error_line(const Error& error) {
  return {{"error", {{"code", to_string(error.code())}, {"message", error.message()}}}};
}

Result<Json> parse_line(const std::string& line) {
  Json parsed = Json::parse(line, nullptr, false);
  if (!parsed.is_object()) return fail(Errc::invalid_argument, "not a JSON object: '{}'", line.substr(0, 80));
  return parsed;
}

// Nothing listens at `path` when this returns success. Only a socket that refuses to connect is removed: its daemon has
// died, while any other failure may come from one that lives.
Result<void> remove_stale_socket(const std::string& path) {
  const Result<LineSocket> live = LineSocket::connect(path);
  if (live) return fail(Errc::already_exists, "{}: another cairnfs serves this mountpoint", path);
  if (live.error().code() == Errc::unavailable) ::unlink(path.c_str());
  return {};
}

// Held while a socket is replaced. Of two daemons that find the same stale one, the second would remove what the first
// has just made there.
Result<UniqueFd> lock_directory(const std::string& path) {
  UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return fail(error_from_errno(errno, path));
  const auto context = RequestContext::within(kLockTimeout);
  while (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail(error_from_errno(errno, path));
    if (auto waited = pause(kLockPoll, context); !waited) return fail(waited.error().in(path + " is locked"));
  }
  return directory;
}

Result<UniqueFd> listen_at(const std::string& path) {
  const Result<sockaddr_un> address = socket_address(path);
  if (!address) return fail(address.error());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fail(error_from_errno(errno, "socket"));
  // In a directory of this user's alone, and with its mode before listen().
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(fd.get(), kBacklog) != 0) {
    return fail(error_from_errno(errno, path));
  }
  return fd;
}

}  // namespace

struct ControlServer::Connection {
  explicit Connection(UniqueFd fd) : socket(std::move(fd)) {}
  LineSocket socket;
  std::atomic<bool> finished = false;
  bool hung_up = false;
  Thread thread;
};

Result<std::unique_ptr<ControlServer>> ControlServer::open(const std::string& path, Handler handler) {
  const std::string directory = std::filesystem::path(path).parent_path();
  if (auto made = make_directories(directory); !made) return fail(made.error());
  const auto locked = lock_directory(directory);
  if (!locked) return fail(locked.error());
  const Result<void> free = remove_stale_socket(path);
  if (!free) return fail(free.error());
  Result<UniqueFd> listener = listen_at(path);
  if (!listener) return fail(listener.error());
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake.valid()) return fail(error_from_errno(errno, "eventfd"));
  return std::unique_ptr<ControlServer>(
      new ControlServer(path, std::move(*listener), std::move(wake), std::move(handler)));
}

ControlServer::ControlServer(std::string path, UniqueFd listener, UniqueFd wake, Handler handler)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      wake_(std::move(wake)),
      handler_(std::move(handler)),
      thread_("control", [this](const std::stop_token& stop) { serve(stop); }) {}

// The serving thread ends first, since connections_ is its own. The file goes last: as long as requests are being
// answered here, another daemon must find the mountpoint taken.
ControlServer::~ControlServer() {
  thread_.request_stop();
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
  connections_.clear();  // stops and joins each
  ::unlink(path_.c_str());
}

void ControlServer::serve(const std::stop_token& stop) {
  bool accepts = true;
  while (!stop.stop_requested()) {
    const short wanted = accepts ? POLLIN : 0;
    std::vector<pollfd> waiting = {{wake_.get(), POLLIN, 0}, {listener_.get(), wanted, 0}};
    std::vector<Connection*> watched;
    for (Connection& connection : connections_) {
      if (connection.hung_up) continue;
      watched.push_back(&connection);
      waiting.push_back({connection.socket.fd(), POLLRDHUP, 0});
    }
    // After a second at most, so that threads which have answered are joined, though no socket tells of them.
    const int ready = ::poll(waiting.data(), waiting.size(), 1000);
    accepts = true;
    if (ready <= 0) {
      forget_finished();
      continue;
    }
    // Before any connection is forgotten: `watched` points into the list.
    for (size_t i = 0; i < watched.size(); ++i) {
      if (waiting[i + 2].revents == 0) continue;
      watched[i]->hung_up = true;
      watched[i]->thread.request_stop();
    }
    forget_finished();
    if (waiting[1].revents != 0) accepts = accept_one();
  }
}

// False: this process has no descriptor left, and the client, which stays in the backlog, is not asked for at once.
bool ControlServer::accept_one() {
  UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
  if (connections_.size() >= kMaxConnections) return true;  // the client sees a hang-up
  Connection& connection = connections_.emplace_back(std::move(fd));
  connection.thread = Thread("control", [this, &connection](const std::stop_token& stop) {
    answer(connection.socket, stop);
    // The client sees the end now; the socket itself is closed when the serving thread forgets the connection.
    ::shutdown(connection.socket.fd(), SHUT_RDWR);
    connection.finished = true;
  });
  return true;
}

void ControlServer::forget_finished() {
  connections_.remove_if([](const Connection& connection) { return connection.finished.load(); });
}

void ControlServer::answer(LineSocket& socket, const std::stop_token& stop) {
  const auto send = [&socket](const Json& line) {
    // Invalid UTF-8 in a message must not end the daemon: it is replaced.
    const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace);
    return socket.write_line(text, RequestContext::within(kSendTimeout)).has_value();
  };
  const Result<std::string> line = socket.read_line(RequestContext::within(kSendTimeout, Cause::demand, stop));
  if (!line) return;  // hung up before it asked
  const Result<Json> request = parse_line(*line);
  const ProgressFunction progress = [&send](const Json& done) { send({{"progress", done}}); };
  const Result<Json> result = request ? handler_(*request, progress, stop) : request;
  send(result ? Json{{"result", *result}} : error_line(result.error()));
}

Result<ControlCall> ControlCall::send(const std::string& socket_path, const Json& request) {
  Result<LineSocket> socket = LineSocket::connect(socket_path);
  if (!socket) return fail(socket.error());
  const std::string line = request.dump(-1, ' ', false, Json::error_handler_t::replace);
  const Result<void> sent = socket->write_line(line, RequestContext::within(kSendTimeout));
  if (!sent) return fail(sent.error());
  return ControlCall(std::move(*socket));
}

Result<void> ControlCall::wait_until_taken(std::chrono::nanoseconds silence) {
  const Result<std::string> line = socket_.read_line(RequestContext::within(silence));
  if (!line) return fail(line.error());
  return {};
}

Result<Json> ControlCall::wait(std::chrono::nanoseconds silence, const ProgressFunction& progress) {
  while (true) {
    const Result<std::string> line = socket_.read_line(RequestContext::within(silence));
    if (!line) return fail(line.error());
    const Result<Json> parsed = parse_line(*line);
    if (!parsed) return parsed;
    answered_ = parsed->contains("result") || parsed->contains("error");
    if (parsed->contains("result")) return parsed->at("result");
    if (parsed->contains("error")) {
      const Json& error = parsed->at("error");
      return fail(Error(parse_errc(error.value("code", "")), error.value("message", "no message")));
    }
    if (progress && parsed->contains("progress")) progress(parsed->at("progress"));
  }
}

pid_t ControlCall::daemon_pid() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket_.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : -1;
}

Result<Json> control_call(const std::string& socket_path, const Json& request, std::chrono::nanoseconds silence,
                          const ProgressFunction& progress) {
  Result<ControlCall> call = ControlCall::send(socket_path, request);
  if (!call) return fail(call.error());
  return call->wait(silence, progress);
}

}  // namespace cairn
