#include "tests/support/s3_store.h"

#include "base/check.h"
#include "remote/http/curl_transport.h"

namespace cairn {

namespace {

S3Location location_of(const std::string& url) {
  auto location = parse_s3_url(url, [](const std::string&) { return std::nullopt; });
  check(location.has_value(), "a test's server has a URL");
  return std::move(*location);
}

}  // namespace

std::unique_ptr<HttpTransport> make_impatient_transport() {
  CurlTransport::Options options;
  options.connect_timeout = std::chrono::seconds(2);
  options.stall_timeout = std::chrono::seconds(1);
  return std::make_unique<CurlTransport>(options);
}

std::unique_ptr<S3ObjectStore> open_s3_store(const S3Server& server, const std::string& prefix,
                                             const std::string& parameters) {
  S3Client::Options options;
  options.location = location_of(fmt::format("s3://{}/{}?endpoint={}&region={}{}", server.bucket, prefix,
                                             server.endpoint, server.region, parameters));
  options.transport = std::make_unique<CurlTransport>(CurlTransport::Options{});
  options.credentials = std::make_unique<FixedCredentials>(Credentials{
      .access_key_id = server.access_key, .secret_access_key = server.secret_key, .session_token = {}, .expires = {}});
  return std::make_unique<S3ObjectStore>(std::move(options), false, system_clock());
}

std::unique_ptr<S3ObjectStore> open_s3_store(const HostileHttpServer& server) {
  S3Client::Options options;
  options.location = location_of(fmt::format("s3://bucket?endpoint={}&anonymous=true", server.endpoint()));
  options.transport = make_impatient_transport();
  return std::make_unique<S3ObjectStore>(std::move(options), false, system_clock());
}

}  // namespace cairn
