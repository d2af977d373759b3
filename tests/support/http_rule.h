// Faults of an HTTP server, as data.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/gate.h"
#include "tests/support/http_exchange.h"

namespace cairn {

// What becomes of the answer. The client gets no orderly answer from any but `whole`, `drip`, `no_length`, `chunked`.
enum class HttpDelivery {
  whole,
  drip,       // HttpRule::drip_bytes of it every HttpRule::drip_interval, its head included
  no_length,  // no Content-Length: the end of the connection ends it
  chunked,    // Transfer-Encoding: chunked

  // The connection ends.
  close_unread,     // before the request's body was read
  close,            // once the whole request was read
  close_half_way,   // after half of the answer's body
  close_in_chunks,  // chunked, without the last chunk
  reset,            // as close, by RST
  reset_half_way,   // as close_half_way, by RST

  // The connection stays open, silently.
  read_nothing,     // the request's body is not read: a large one stalls
  silence,          // no answer: half-open
  length_too_long,  // Content-Length promises ten bytes more than come

  // Lies.
  length_too_short,  // Content-Length says half; the rest comes, and would be taken for the start of the next answer
  garbage,           // bytes that are not HTTP, then the connection ends
  endless_head,      // header lines until the client goes
  endless_body,      // Content-Length says 4 EiB, and zeros come until the client goes
};

// {.method = "GET", .target_part = "/dirs/", .nth = 3, .reply = s3_error(500, "InternalError")}
struct HttpRule {
  static constexpr uint64_t kAlways = std::numeric_limits<uint64_t>::max();

  std::string method{};       // empty: any
  std::string target_part{};  // of "/bucket/key?query" as it is sent, percent-encoded
  uint64_t nth = 1;           // the first match that is hit, counted since add(): 1 is the next one
  uint64_t times = 1;         // how many matches are hit in a row

  std::optional<HttpReply> reply{};  // instead of S3's own
  HttpDelivery delivery = HttpDelivery::whole;
  // The request has its effect on the objects although the client is not told (a reply of the rule's, or none): the
  // ambiguous PUT. Where S3's own answer is sent, or a part of it, it always has.
  bool happens = false;
  std::shared_ptr<Gate> gate{};  // the answer waits here first

  size_t drip_bytes = 1;
  std::chrono::milliseconds drip_interval{50};
};

}  // namespace cairn
