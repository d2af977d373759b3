#include "tests/support/http_delivery.h"

#include <fmt/chrono.h>

#include <algorithm>

namespace cairn {
namespace {

constexpr uint64_t kHugeBytes = 1ULL << 62;

// The status line and the headers, `framing` ("Content-Length: 5") among them.
std::string head_of(const HttpReply& reply, std::string_view framing) {
  std::string head = fmt::format("HTTP/1.1 {} Scripted\r\nServer: hostile\r\n{}\r\n", reply.status, framing);
  const auto named_date = [](const HttpHeader& header) { return header.name == "Date"; };
  if (std::none_of(reply.headers.begin(), reply.headers.end(), named_date)) {
    head += fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", fmt::gmtime(std::time(nullptr)));
  }
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  return head + "\r\n";
}

std::string with_length(const HttpReply& reply, uint64_t length) {
  return head_of(reply, fmt::format("Content-Length: {}", length));
}

std::string in_chunks(std::string_view body) {
  constexpr size_t kChunkBytes = 1000;
  std::string chunks;
  for (size_t at = 0; at < body.size(); at += kChunkBytes) {
    const std::string_view chunk = body.substr(at, kChunkBytes);
    chunks += fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
  }
  return chunks;
}

bool drip(HttpConnection& connection, std::string_view bytes, const HttpRule& rule) {
  for (size_t at = 0; at < bytes.size(); at += rule.drip_bytes) {
    if (at > 0 && !connection.wait(rule.drip_interval)) return false;
    if (!connection.write(bytes.substr(at, rule.drip_bytes))) return false;
  }
  return true;
}

// `more` again and again, until the client goes or the server stops.
bool without_end(HttpConnection& connection, std::string_view start, const std::string& more) {
  bool taken = connection.write(start);
  while (taken) taken = connection.write(more);
  return false;
}

}  // namespace

bool sends_answer(HttpDelivery delivery) {
  switch (delivery) {
    case HttpDelivery::close_unread:
    case HttpDelivery::close:
    case HttpDelivery::reset:
    case HttpDelivery::read_nothing:
    case HttpDelivery::silence:
    case HttpDelivery::garbage:
    case HttpDelivery::endless_head:
    case HttpDelivery::endless_body: return false;
    default: return true;
  }
}

bool deliver(HttpConnection& connection, const SeenRequest& request, const HttpReply& reply, const HttpRule& rule) {
  // An answer to HEAD announces a body, and has none.
  const bool bodiless = request.method == "HEAD" || reply.status == 204 || reply.status == 304;
  const std::string_view body = bodiless ? std::string_view() : reply.body;
  const std::string head =
      reply.status == 204 ? head_of(reply, "Cache-Control: no-store") : with_length(reply, reply.body.size());
  const auto send = [&](std::string_view start, std::string_view rest) {
    return connection.write(start) && connection.write(rest);
  };
  switch (rule.delivery) {
    case HttpDelivery::whole: return send(head, body);
    case HttpDelivery::drip: return drip(connection, head + std::string(body), rule);
    case HttpDelivery::no_length: send(head_of(reply, "Connection: close"), body); return false;
    case HttpDelivery::chunked:
      return send(head_of(reply, "Transfer-Encoding: chunked"), in_chunks(body) + "0\r\n\r\n");
    case HttpDelivery::close_in_chunks:
      send(head_of(reply, "Transfer-Encoding: chunked"), in_chunks(body));
      return false;
    case HttpDelivery::close_unread:
    case HttpDelivery::close: return false;
    case HttpDelivery::close_half_way: send(head, body.substr(0, body.size() / 2)); return false;
    case HttpDelivery::reset: connection.reset(); return false;
    case HttpDelivery::reset_half_way:
      send(head, body.substr(0, body.size() / 2));
      connection.reset();
      return false;
    case HttpDelivery::read_nothing:
    case HttpDelivery::silence: connection.hold(); return false;
    case HttpDelivery::length_too_long: return send(with_length(reply, body.size() + 10), body);
    case HttpDelivery::length_too_short: return send(with_length(reply, body.size() / 2), body);
    case HttpDelivery::garbage: connection.write("SSH-2.0-OpenSSH_9.2\r\n\x01\x02\xff\xfe\r\n\r\n"); return false;
    case HttpDelivery::endless_head:
      return without_end(connection, "HTTP/1.1 200 OK\r\n", "X-Filler: " + std::string(1000, 'x') + "\r\n");
    case HttpDelivery::endless_body:
      return without_end(connection, with_length(HttpReply{}, kHugeBytes), std::string(64 << 10, '\0'));
  }
  return false;
}

}  // namespace cairn
