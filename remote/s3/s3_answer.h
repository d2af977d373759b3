// What S3-style endpoints say: their XML, and what it means for the caller.
// Source: Amazon S3 API Reference, "Error responses", ListObjectsV2, DeleteObjects.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "remote/http/http_transport.h"
#include "remote/object_store.h"

namespace cairn {

// The parts of an <Error> that matter; empty where the endpoint gave none (a HEAD's answer has no body).
struct S3Complaint {
  std::string code;     // "NoSuchKey"
  std::string message;  // shortened, of printable characters
  std::string region;   // where the bucket is, if the endpoint said so, in the body or in a header
};

S3Complaint parse_complaint(const HttpAnswer& answer);

// An answer that is no success, as the error that tells the caller what to do: docs/s3.md has the table.
Error error_of(const HttpAnswer& answer, const S3Complaint& complaint);

// "Fri, 24 May 2013 00:00:00 GMT" (RFC 9110, IMF-fixdate).
std::optional<Nanos> parse_http_date(std::string_view text);

struct S3Listing {
  ListPage page;             // keys with the store's prefix
  std::string continuation;  // for the next request, if page.more
};

// Failures: unavailable: not a listing (a proxy has answered, or a captive portal, but not the store).
Result<S3Listing> parse_listing(ByteView xml);

std::string deletion_request(const std::vector<std::string>& keys);

// The first object that was not deleted, as an error. Failures: unavailable, too, if `xml` is no such answer.
Result<void> parse_deletion(ByteView xml);

}  // namespace cairn
