// AWS Signature Version 4, as S3 wants it.
// Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API Reference, whose examples are tests.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "remote/credentials/credentials.h"
#include "remote/http/http_transport.h"
#include "remote/http/percent_encoding.h"

namespace cairn {

// What is signed of a request, and for whom.
struct RequestToSign {
  std::string method;
  std::string host;                 // as the Host header has it: with the port unless it is the scheme's own
  std::string path;                 // not encoded: "/bucket/key"
  QueryParameters query;            // in any order
  std::vector<HttpHeader> headers;  // all of these are signed; without Host
  std::string payload_sha256;       // hex; or "UNSIGNED-PAYLOAD"
};

struct SigningScope {
  std::string region;
  std::string service = "s3";
};

// The headers of `request` with those that carry the signature: x-amz-date, x-amz-content-sha256, x-amz-security-token
// for temporary credentials, Authorization. `time` is the endpoint's wall time, not necessarily this host's.
std::vector<HttpHeader> sign(RequestToSign request, const SigningScope& scope, const Credentials& credentials,
                             Nanos time);

}  // namespace cairn
