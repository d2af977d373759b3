// The real S3 server that ctest started for this test (tests/servers).
#pragma once

#include <string>

#include "base/result.h"

namespace cairn {

struct S3Server {
  std::string endpoint;  // "http://127.0.0.1:12345"; buckets in path style
  std::string bucket;    // exists; shared with tests that run at the same time: use a prefix of your own
  std::string access_key;
  std::string secret_key;
  std::string region;
  std::string tenant_bucket;  // "team:name": a bucket in a tenant's name space, where our keys may do everything
  std::string kms_key;        // the server encrypts with it if asked
};

// Failures: unavailable, whose message is the reason to skip; invalid_argument.
//
//   const auto server = find_s3_server();
//   if (!server) GTEST_SKIP() << server.error().message();
Result<S3Server> find_s3_server();

}  // namespace cairn
