// Stores of the real client on the servers of tests.
#pragma once

#include <memory>
#include <string>

#include "remote/s3/s3_object_store.h"
#include "tests/support/hostile_http_server.h"
#include "tests/support/s3_server.h"

namespace cairn {

// The same credentials for ever.
class FixedCredentials final : public CredentialsProvider {
 public:
  explicit FixedCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  Result<Credentials> credentials(const RequestContext& /*context*/, const Credentials* /*stale*/) override {
    return credentials_;
  }

 private:
  const Credentials credentials_;
};

// Patience that a test can wait for: connections 2 s, stalled transfers 1 s.
std::unique_ptr<HttpTransport> make_impatient_transport();

// Below `prefix` ("a/b/") of the server's bucket, with further parameters of the URL ("&sse=AES256"); signed.
std::unique_ptr<S3ObjectStore> open_s3_store(const S3Server& server, const std::string& prefix,
                                             const std::string& parameters = "");
// The whole bucket; not signed.
std::unique_ptr<S3ObjectStore> open_s3_store(const HostileHttpServer& server);

}  // namespace cairn
