// How an answer reaches the client, or fails to.
#pragma once

#include "tests/support/http_connection.h"
#include "tests/support/http_rule.h"

namespace cairn {

// Whether this delivery sends any of the answer, so that there must be one.
bool sends_answer(HttpDelivery delivery);

// Sends `reply` to `request` as `rule` says. Whether the connection can be used for another request.
bool deliver(HttpConnection& connection, const SeenRequest& request, const HttpReply& reply, const HttpRule& rule);

}  // namespace cairn
