// The server's end of one HTTP/1.1 connection in a test.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "tests/support/http_exchange.h"

namespace cairn {

// Every wait ends when `stop_event` becomes readable. The connection is closed at destruction.
// Thread-safety: none; one thread serves a connection.
class HttpConnection {
 public:
  HttpConnection(UniqueFd socket, int stop_event);

  // nullopt, false: the client has gone or speaks no HTTP, or the server stops. The connection is then of no more use.
  [[nodiscard]] std::optional<SeenRequest> read_head();
  // The body of the request that read_head gave.
  [[nodiscard]] std::optional<std::string> read_body(const SeenRequest& request);
  bool write(std::string_view bytes);
  // The time passes, with nothing said; false if it was cut short.
  bool wait(std::chrono::milliseconds time);
  // Says nothing and reads nothing until the client goes or the server stops.
  void hold();
  // The client gets a reset instead of an orderly end.
  void reset();

 private:
  enum class Woken { by_socket, by_stop, by_time };
  // Until the socket is ready for `events`, or broken.
  Woken await(short events, int timeout_ms = -1);
  bool receive_more();

  UniqueFd socket_;
  const int stop_event_;
  std::string received_;  // and not taken yet
};

}  // namespace cairn
