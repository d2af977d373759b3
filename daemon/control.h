// The conversation between a mount's daemon and the commands: one request per connection, in lines of JSON.
//
//   client: {"op": "prefetch", "paths": ["run/step-100"]}
//   daemon: {"progress": {…}}        any number of times
//   daemon: {"result": {…}}          or {"error": {"code": "not found", "message": "…"}}, once
//
// A client that hangs up has lost interest: its request is stopped.
#pragma once

#include <sys/types.h>

#include <functional>
#include <list>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "base/thread.h"
#include "daemon/line_socket.h"

namespace cairn {

using Json = nlohmann::json;
using ProgressFunction = std::function<void(const Json&)>;

// The daemon's end.
// Thread-safety: made and destroyed by one thread; the handler is called from several at once.
// Ownership: the socket's file; the destructor stops the requests under way, waits for their handlers and removes it.
class ControlServer {
 public:
  using Handler =
      std::function<Result<Json>(const Json& request, const ProgressFunction& progress, std::stop_token stop)>;

  // Listens at `path`, with its directory made if need be; only the same user can connect. A socket that a dead daemon
  // left is replaced. Failures: already_exists: a live one listens there; permission_denied, io, invalid_argument.
  static Result<std::unique_ptr<ControlServer>> open(const std::string& path, Handler handler);
  ~ControlServer();

 private:
  struct Connection;

  ControlServer(std::string path, UniqueFd listener, UniqueFd wake, Handler handler);
  void serve(const std::stop_token& stop);
  bool accept_one();
  void forget_finished();
  void answer(LineSocket& socket, const std::stop_token& stop);

  const std::string path_;
  const UniqueFd listener_;
  const UniqueFd wake_;  // readable when the server is to end
  const Handler handler_;
  std::list<Connection> connections_;  // the serving thread's own
  Thread thread_;
};

// The command's end: one request and its answer.
// Failures: not_found, unavailable (no daemon), permission_denied, deadline_exceeded; else what the handler answered.
class ControlCall {
 public:
  static Result<ControlCall> send(const std::string& socket_path, const Json& request);
  // Waits until the handler has sent its first progress: the request is in its hands, not only in the socket.
  Result<void> wait_until_taken(std::chrono::nanoseconds silence);
  // Waits for the result; `silence` is how long the daemon may say nothing, not even progress.
  Result<Json> wait(std::chrono::nanoseconds silence, const ProgressFunction& progress = {});
  // wait() ended with an answer of the daemon, be it an error, and not because the daemon was silent.
  [[nodiscard]] bool answered() const { return answered_; }
  // The process at the other end, even if it does not answer.
  [[nodiscard]] pid_t daemon_pid() const;

 private:
  explicit ControlCall(LineSocket socket) : socket_(std::move(socket)) {}
  LineSocket socket_;
  bool answered_ = false;
};

// send() and wait() in one.
Result<Json> control_call(const std::string& socket_path, const Json& request, std::chrono::nanoseconds silence,
                          const ProgressFunction& progress = {});

}  // namespace cairn
