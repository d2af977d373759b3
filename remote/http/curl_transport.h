// HTTP by libcurl.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "remote/http/http_transport.h"

namespace cairn {

// Each call drives a session of its own, a curl handle with its connection, on the calling thread; sessions rest in a
// stack and are taken up again, warmest first. So there is no thread to hand bytes over from, and as many connections
// as callers. Host names and TLS sessions are shared among them. HTTP/2 where the server offers it in the TLS
// handshake.
//
// Thread-safety: all methods may be called from any thread at once.
// Ownership: owns the sessions; no call may be under way at destruction.
// Failures: as HttpTransport says. A call returns within milliseconds of its context's stop.
class CurlTransport final : public HttpTransport {
 public:
  struct Options {
    std::string ca_file;                                                 // PEM; empty: the system's certificates
    std::chrono::milliseconds connect_timeout{std::chrono::seconds(5)};  // name, TCP and TLS
    // A transfer that moves less than `stall_bytes_per_second` for this long is given up: this covers the first byte,
    // half-open connections and servers that drip. Whole seconds.
    std::chrono::seconds stall_timeout{10};
    uint32_t stall_bytes_per_second = 4096;
  };

  explicit CurlTransport(Options options);
  ~CurlTransport() override;

  Result<HttpAnswer> send(const HttpRequest& request, const RequestContext& context) override;

 private:
  class Session;
  class Sessions;
  const Options options_;
  const std::unique_ptr<Sessions> sessions_;
};

}  // namespace cairn
