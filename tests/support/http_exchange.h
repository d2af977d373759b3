// What test servers say over HTTP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remote/http/http_transport.h"

namespace cairn {

// A request as it came in.
struct SeenRequest {
  std::string method;               // "GET"
  std::string target;               // "/bucket/key?query", still percent-encoded
  std::vector<HttpHeader> headers;  // names in lower case
  uint64_t body_bytes = 0;

  // The first header of that (lower-case) name.
  [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::vector<HttpHeader> headers{};  // Content-Length is added when it is sent
  std::string body{};
};

// S3's way to refuse: <Error><Code>SlowDown</Code>…
HttpReply s3_error(int status, std::string_view code);
HttpReply redirect_to(int status, std::string location);

}  // namespace cairn
