// What of HTTP by curl does not need a server that misbehaves: that is s3_object_store_test.cpp.
#include "remote/http/curl_transport.h"

#include <gtest/gtest.h>

#include "tests/support/test_environment.h"

namespace cairn {
namespace {

Result<HttpAnswer> get(CurlTransport& transport, const std::string& url) {
  HttpRequest request;
  request.method = "GET";
  request.url = url;
  return transport.send(request, test_context());
}

TEST(CurlTransport, a_name_that_is_not_found_can_be_asked_for_again) {
  CurlTransport transport({});
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto answer = get(transport, "http://no-such-host.invalid/");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code(), Errc::unavailable) << answer.error().to_string();
    EXPECT_NE(answer.error().message().find("no-such-host.invalid"), std::string::npos) << answer.error().to_string();
  }
}

}  // namespace
}  // namespace cairn
