// What URLs of every kind become on the wire: address, headers, signature. The signatures are another implementation's,
// botocore's, of the same requests.
#include <gtest/gtest.h>

#include <map>

#include "remote/s3/s3_object_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/s3_store.h"
#include "tests/support/scripted_http_transport.h"
#include "tests/support/test_environment.h"

namespace cairn {

namespace {

const std::vector<HttpHeader> kEncrypted = {{"x-amz-server-side-encryption", "aws:kms"}};

class S3RequestTest : public testing::Test {
 protected:
  // A store whose requests to `address` are all answered with success, or with `answers` in turn, and then with it.
  std::unique_ptr<S3ObjectStore> open(const std::string& url, std::vector<HttpReply> answers = {}) {
    auto http = std::make_unique<ScriptedHttpTransport>();
    http_ = http.get();
    answers_ = std::move(answers);
    S3Client::Options options;
    options.location = parse_s3_url(url, [](const std::string&) { return std::nullopt; }).value();
    http_->on_anything([this](const HttpRequest&, const RequestContext&) -> Result<HttpAnswer> {
      if (answers_.empty()) return HttpAnswer{.status = 200, .headers = kEncrypted, .body = Buffer()};
      HttpReply next = std::move(answers_.front());
      answers_.erase(answers_.begin());
      return HttpAnswer{next.status, std::move(next.headers), Buffer::copy_of(as_bytes(next.body))};
    });
    options.transport = std::move(http);
    if (!options.location.anonymous) options.credentials = std::make_unique<FixedCredentials>(kKeys);
    return std::make_unique<S3ObjectStore>(std::move(options), false, clock_);
  }

  [[nodiscard]] ScriptedHttpTransport::Asked last() const { return http_->asked().back(); }
  [[nodiscard]] std::string last_signature() const {
    const std::string authorization = last().header("Authorization");
    return authorization.substr(authorization.rfind('=') + 1);
  }

  static HttpReply refusal(int status, std::string_view code, std::string_view message) {
    const std::string body = fmt::format("<Error><Code>{}</Code><Message>{}</Message></Error>", code, message);
    return {.status = status, .headers = {}, .body = body};
  }

  const Credentials kKeys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", {}};
  FakeClock clock_;  // 2026-01-01T00:00:00Z
  ScriptedHttpTransport* http_ = nullptr;
  std::vector<HttpReply> answers_;
};

}  // namespace

TEST_F(S3RequestTest, the_path_of_the_endpoint_stands_in_front_and_is_signed) {
  const auto store = open("s3://models/team?region=eu&endpoint=https://store.example/storage/v1/s3");
  ASSERT_TRUE(store->get("key", {}, test_context()));
  EXPECT_EQ(last().url, "https://store.example/storage/v1/s3/models/team/key");
  EXPECT_EQ(last_signature(), "f50e67a339c823999c6105be27a8a8994f2ed7e079e7e18f0d4bc450e1f3105e");
}

TEST_F(S3RequestTest, the_path_of_the_endpoint_stands_in_front_in_virtual_host_style_too) {
  const auto store = open("s3://models/team?region=eu&style=virtual&endpoint=https://store.example/storage/v1/s3/");
  ASSERT_TRUE(store->get("key", {}, test_context()));
  EXPECT_EQ(last().url, "https://models.store.example/storage/v1/s3/team/key");
  EXPECT_EQ(last_signature(), "780b33e4b3cafbc70634b92cf42ee04ff55f01cbc4009da155f823af1c1598fe");
}

TEST_F(S3RequestTest, a_listing_is_asked_of_the_bucket_behind_the_endpoints_path) {
  const auto store = open("s3://models?endpoint=https://store.example/storage/v1/s3");
  (void)store->list("", "", 1, test_context());
  EXPECT_EQ(last().url.substr(0, last().url.find('?')), "https://store.example/storage/v1/s3/models/");
}

TEST_F(S3RequestTest, an_access_point_is_asked_by_its_host_in_its_region) {
  const auto store = open("s3://arn:aws:s3:us-west-2:123456789012:accesspoint/train/team");
  ASSERT_TRUE(store->get("key", {}, test_context()));
  EXPECT_EQ(last().url, "https://train-123456789012.s3-accesspoint.us-west-2.amazonaws.com/team/key");
  EXPECT_EQ(last_signature(), "9791fc41728d3731e9610c96bcdc5402fe9ba52b01cc56dc52ea221eef2ccc77");
}

TEST_F(S3RequestTest, an_access_point_is_nowhere_else_than_its_arn_says) {
  const auto store = open("s3://arn:aws:s3:us-west-2:123456789012:accesspoint/train",
                          {{.status = 301, .headers = {{"x-amz-bucket-region", "eu-west-9"}}}});
  EXPECT_EQ(store->get("key", {}, test_context()).error().code(), Errc::invalid_argument);
  EXPECT_EQ(http_->asked().size(), 1U);
}

TEST_F(S3RequestTest, a_tenants_bucket_is_named_with_an_encoded_colon) {
  const auto store = open("s3://team:models?region=eu&endpoint=https://store.example");
  ASSERT_TRUE(store->get("key", {}, test_context()));
  EXPECT_EQ(last().url, "https://store.example/team%3Amodels/key");
  EXPECT_EQ(last_signature(), "e4a9ee65e6efb9dbb4669dec410db4e7ce11d0594d82f8da7a508f7dbdf93355");
}

TEST_F(S3RequestTest, the_terms_are_sent_and_signed_with_every_put) {
  const auto store = open(
      "s3://models?region=eu&endpoint=https://store.example&requester-pays=true&sse=aws:kms"
      "&sse-kms-key-id=alias/models&sse-bucket-key=true&storage-class=STANDARD_IA");
  ASSERT_TRUE(store->put_if_absent("key", as_bytes("hello"), test_context()));
  EXPECT_EQ(last().header("x-amz-server-side-encryption-aws-kms-key-id"), "alias/models");
  EXPECT_EQ(last().header("x-amz-server-side-encryption-bucket-key-enabled"), "true");
  EXPECT_EQ(last().header("x-amz-storage-class"), "STANDARD_IA");
  EXPECT_EQ(last_signature(), "fc85dd4bdef0d0ebb760d29c443c034f618d36aa26372c0df7263d88633383e7");
}

TEST_F(S3RequestTest, the_requester_pays_for_every_request_and_encrypts_puts_alone) {
  const auto store = open("s3://models?requester-pays=true&sse=AES256");
  (void)store->get("key", {}, test_context());
  (void)store->head("key", test_context());
  (void)store->list("", "", 1, test_context());
  (void)store->remove({"key"}, test_context());
  (void)store->remove({"a", "b"}, test_context());
  ASSERT_EQ(http_->asked().size(), 5U);
  for (const auto& asked : http_->asked()) {
    EXPECT_EQ(asked.header("x-amz-request-payer"), "requester") << asked.method;
    EXPECT_NE(asked.header("Authorization").find(";x-amz-request-payer,"), std::string::npos) << asked.method;
    EXPECT_EQ(asked.header("x-amz-server-side-encryption"), "") << asked.method;
  }
}

TEST_F(S3RequestTest, without_terms_nothing_is_said_of_them) {
  const auto store = open("s3://models");
  ASSERT_TRUE(store->put_if_absent("key", as_bytes("hello"), test_context()));
  for (const HttpHeader& header : last().headers) {
    const bool is_known = header.name == "x-amz-date" || header.name == "x-amz-content-sha256";
    EXPECT_TRUE(is_known || !header.name.starts_with("x-amz")) << header.name;
  }
}

TEST_F(S3RequestTest, an_endpoint_that_does_not_encrypt_as_asked_is_refused) {
  const auto store = open("s3://models?sse=AES256");  // it says that it did, by a key of KMS
  const auto put = store->put_if_absent("key", as_bytes("hello"), test_context());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::unsupported);
  EXPECT_NE(put.error().message().find("does not encrypt it as sse=AES256 asks"), std::string::npos);
}

TEST_F(S3RequestTest, a_put_that_is_refused_names_the_terms_it_was_sent_with) {
  const auto store = open("s3://models?storage-class=ONEZONE_IA", {refusal(400, "InvalidArgument", "")});
  const auto put = store->put_if_absent("key", as_bytes("hello"), test_context());
  ASSERT_FALSE(put);
  EXPECT_NE(put.error().message().find("storage-class=ONEZONE_IA"), std::string::npos) << put.error().message();
}

TEST_F(S3RequestTest, a_bucket_that_demands_content_md5_gets_it_from_then_on) {
  const std::vector<std::pair<std::string, std::string>> demands = {
      {"InvalidRequest",
       "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object "
       "Lock parameters"},
      {"MissingContentMD5", "Missing required header for this request: Content-Md5."}};
  for (const auto& [code, message] : demands) {
    const auto store = open("s3://models", {refusal(400, code, message)});
    ASSERT_TRUE(store->put_if_absent("key", as_bytes("hello"), test_context())) << code;
    ASSERT_EQ(http_->asked().size(), 2U);
    EXPECT_EQ(http_->asked()[0].header("Content-MD5"), "");
    EXPECT_EQ(last().header("Content-MD5"), "XUFAKrxLKna5cZ2REBfFkg==");
    EXPECT_EQ(last().header("If-None-Match"), "*");
    EXPECT_NE(last().header("Authorization").find("SignedHeaders=content-md5;"), std::string::npos);
    ASSERT_TRUE(store->put_if_absent("key", as_bytes("hello"), test_context()));
    EXPECT_EQ(http_->asked().size(), 3U);
    EXPECT_EQ(last().header("Content-MD5"), "XUFAKrxLKna5cZ2REBfFkg==");
    (void)store->get("key", {}, test_context());
    EXPECT_EQ(last().header("Content-MD5"), "");
  }
}

TEST_F(S3RequestTest, a_demand_for_content_md5_that_is_repeated_is_an_error) {
  const auto store =
      open("s3://models", {refusal(400, "MissingContentMD5", ""), refusal(400, "MissingContentMD5", "")});
  EXPECT_EQ(store->put_if_absent("key", as_bytes("hello"), test_context()).error().code(), Errc::invalid_argument);
  EXPECT_EQ(http_->asked().size(), 2U);
}

TEST_F(S3RequestTest, many_objects_are_removed_with_content_md5) {
  const auto store = open("s3://models");
  (void)store->remove({"a", "b"}, test_context());
  EXPECT_EQ(last().url, "https://models.s3.us-east-1.amazonaws.com/?delete=");
  EXPECT_EQ(last().header("Content-MD5").size(), 24U);
}

}  // namespace cairn
