// One request to a service that hands out credentials: small, short, and never retried here.
#pragma once

#include <chrono>
#include <string_view>

#include "base/request_context.h"
#include "remote/http/http_transport.h"

namespace cairn {

// Sends `request` and waits for at most `timeout`, however patient `context` is. Running into `timeout` is
// `unavailable`: deadline_exceeded is left for the caller's own deadline. An answer may have 64 KiB.
Result<HttpAnswer> send_briefly(HttpTransport& transport, HttpRequest request, std::chrono::milliseconds timeout,
                                const RequestContext& context);

// 429 and 5xx: the same request may succeed later.
bool is_passing_fault(int status);

}  // namespace cairn
