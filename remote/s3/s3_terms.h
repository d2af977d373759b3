// The terms on which a bucket keeps objects: who pays, how they are encrypted at rest, in which class.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "remote/http/http_transport.h"
#include "remote/s3/s3_parameters.h"

namespace cairn {

struct S3Terms {
  bool requester_pays = false;
  std::string encryption;     // "AES256", "aws:kms", "aws:kms:dsse"; empty: as the bucket has it
  std::string kms_key;        // id, ARN or alias; empty: the default key of whoever encrypts
  bool bucket_key = false;    // fewer calls of the key service
  std::string storage_class;  // "STANDARD_IA"; empty: the endpoint's own

  // What every request says of them.
  [[nodiscard]] std::vector<HttpHeader> request_headers() const;
  // What a PUT says besides.
  [[nodiscard]] std::vector<HttpHeader> object_headers() const;
  // Of an answer to a PUT. Failures: unsupported: the endpoint has passed over what was asked.
  [[nodiscard]] Result<void> check_kept(const HttpAnswer& answer) const;
  // "&sse=aws%3Akms…": what parses to this, at the end of a URL.
  [[nodiscard]] std::string parameters() const;
};

// Of sse, sse-kms-key-id, sse-bucket-key, storage-class and requester-pays. Failures: invalid_argument, which says what
// can be written, also where one makes no sense without another or without a signature (`anonymous`).
Result<S3Terms> parse_s3_terms(const S3Parameters& parameters, bool anonymous);

}  // namespace cairn
