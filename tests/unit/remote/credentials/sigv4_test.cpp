// The signature against the examples of AWS: "Signature Calculations for the Authorization Header: Transferring Payload
// in a Single Chunk", Amazon S3 API Reference.
#include "remote/credentials/sigv4.h"

#include <gtest/gtest.h>

#include "base/digest.h"
#include "remote/http/percent_encoding.h"

namespace cairn {

namespace {

constexpr Nanos kExampleTime = 1'369'353'600'000'000'000;  // 2013-05-24T00:00:00Z

const Credentials kExampleKeys{
    .access_key_id = "AKIAIOSFODNN7EXAMPLE",
    .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .session_token = {},
    .expires = {},
};

RequestToSign example(std::string method, std::string path, std::string_view payload = "") {
  RequestToSign request;
  request.method = std::move(method);
  request.host = "examplebucket.s3.amazonaws.com";
  request.path = std::move(path);
  request.payload_sha256 = sha256(as_bytes(payload)).hex();
  return request;
}

std::string header(const std::vector<HttpHeader>& headers, std::string_view name) {
  for (const HttpHeader& one : headers) {
    if (one.name == name) return one.value;
  }
  return "none";
}

std::string authorization(RequestToSign request) {
  return header(sign(std::move(request), {.region = "us-east-1"}, kExampleKeys, kExampleTime), "Authorization");
}

std::string expected(std::string_view signed_headers, std::string_view signature) {
  return fmt::format(
      "AWS4-HMAC-SHA256 "
      "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders={},Signature={}",
      signed_headers, signature);
}

}  // namespace

TEST(SignatureV4, get_object_with_a_range) {
  RequestToSign request = example("GET", "/test.txt");
  request.headers = {{"Range", "bytes=0-9"}};
  EXPECT_EQ(authorization(request), expected("host;range;x-amz-content-sha256;x-amz-date",
                                             "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

TEST(SignatureV4, put_object) {
  RequestToSign request = example("PUT", "/test$file.text", "Welcome to Amazon S3.");
  request.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  EXPECT_EQ(authorization(request), expected("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                                             "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST(SignatureV4, get_bucket_lifecycle) {
  RequestToSign request = example("GET", "/");
  request.query = {{"lifecycle", ""}};
  EXPECT_EQ(authorization(request), expected("host;x-amz-content-sha256;x-amz-date",
                                             "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST(SignatureV4, list_objects) {
  RequestToSign request = example("GET", "/");
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(authorization(request), expected("host;x-amz-content-sha256;x-amz-date",
                                             "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST(SignatureV4, a_session_token_is_sent_and_signed) {
  Credentials temporary = kExampleKeys;
  temporary.session_token = "a token";
  const auto headers = sign(example("GET", "/"), {.region = "us-east-1"}, temporary, kExampleTime);
  EXPECT_EQ(header(headers, "x-amz-security-token"), "a token");
  EXPECT_NE(header(headers, "Authorization").find(";x-amz-security-token,"), std::string::npos);
}

TEST(SignatureV4, the_secret_is_in_no_header) {
  for (const HttpHeader& one : sign(example("GET", "/"), {.region = "us-east-1"}, kExampleKeys, kExampleTime)) {
    EXPECT_EQ(one.value.find(kExampleKeys.secret_access_key), std::string::npos) << one.name;
  }
}

TEST(SignatureV4, a_query_is_sorted_by_name_and_encoded) {
  EXPECT_EQ(canonical_query({{"prefix", "a/b c"}, {"list-type", "2"}, {"delete", ""}}),
            "delete=&list-type=2&prefix=a%2Fb%20c");
}

TEST(PercentEncoding, every_text_comes_back) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all, true)), all);
  EXPECT_EQ(percent_encode("a/~b\xc3\xa4", true), "a/~b%C3%A4");
  EXPECT_EQ(percent_encode("a/b", false), "a%2Fb");
  EXPECT_EQ(percent_decode("%2f%2F"), "//");
  for (const char* bad : {"%", "%2", "a%zz", "%-1", "%+1"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

}  // namespace cairn
