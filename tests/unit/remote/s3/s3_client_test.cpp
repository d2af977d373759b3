#include "remote/s3/s3_client.h"

#include <gtest/gtest.h>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

// Answers everything with 200, and remembers whether proxies were to be passed by.
class ProxyWatch final : public HttpTransport {
 public:
  explicit ProxyWatch(bool& no_proxy) : no_proxy_(no_proxy) {}
  Result<HttpAnswer> send(const HttpRequest& request, const RequestContext& /*context*/) override {
    no_proxy_ = request.no_proxy;
    return HttpAnswer{.status = 200, .headers = {}, .body = {}};
  }

 private:
  bool& no_proxy_;
};

bool passes_proxies_by(const std::string& endpoint) {
  bool no_proxy = false;
  S3Client::Options options;
  options.location = parse_s3_url("s3://bucket/p?anonymous=true&endpoint=" + endpoint, [](const std::string&) {
                       return std::nullopt;
                     }).value();
  options.transport = std::make_unique<ProxyWatch>(no_proxy);
  FakeClock clock;
  S3Client client(std::move(options), clock);
  EXPECT_TRUE(client.ask({.method = "GET", .key = "p/k"}, test_context()));
  return no_proxy;
}

// "localhost" of a proxy is another machine, to which credentials and bytes would go unprotected.
TEST(S3ClientTest, an_endpoint_on_this_machine_is_not_asked_through_a_proxy) {
  EXPECT_TRUE(passes_proxies_by("http://localhost:9000"));
  EXPECT_TRUE(passes_proxies_by("http://127.0.0.1:9000"));
  EXPECT_FALSE(passes_proxies_by("http://s3.example.com"));
  EXPECT_FALSE(passes_proxies_by("https://s3.example.com"));
}

}  // namespace
}  // namespace cairn
