// HTTP as an outside world: one request, one answer. curl really sends it; tests answer from a script.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/request_context.h"
#include "base/result.h"

namespace cairn {

struct HttpHeader {
  std::string name;  // of an answer: in lower case
  std::string value;
};

struct HttpRequest {
  std::string method;  // "GET"
  std::string url;     // "https://host:port/path?query", every part percent-encoded
  std::vector<HttpHeader> headers;
  ByteView body;          // of a PUT or POST; borrowed for the call
  bool no_proxy = false;  // a service of this very machine's or its provider's: proxies do not reach it
  // A longer answer's body is `corrupt`, and is not read.
  uint64_t max_answer_bytes = 16 << 20;
  std::optional<uint16_t> skew{};  // where in a page the answer's first byte should lie: Buffer::placed
};

struct HttpAnswer {
  int status = 0;  // 200
  std::vector<HttpHeader> headers;
  Buffer body;  // whole: as long as Content-Length says, where there is one

  [[nodiscard]] bool is_success() const { return status >= 200 && status < 300; }
  // The first header of that (lower-case) name.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

// Thread-safety: all methods may be called from any thread at once.
// Ownership: arguments are borrowed for the call; the answer is the caller's.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  // Any status is an answer; redirects are not followed. Failures: unavailable (no connection, no name, connection
  // lost, too slow, a short body: whether the request took effect is unknown), deadline_exceeded and cancelled as
  // `context` says, corrupt (not HTTP, or a body past max_answer_bytes), permission_denied (the TLS certificate is not
  // trusted), invalid_argument (no URL that can be asked).
  virtual Result<HttpAnswer> send(const HttpRequest& request, const RequestContext& context) = 0;
};

}  // namespace cairn
