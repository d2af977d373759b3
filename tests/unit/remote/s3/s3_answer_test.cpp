#include "remote/s3/s3_answer.h"

#include <gtest/gtest.h>

namespace cairn {

namespace {

HttpAnswer answer(int status, std::string_view body = "", std::vector<HttpHeader> headers = {}) {
  return {status, std::move(headers), Buffer::copy_of(as_bytes(body))};
}

Error error_for(int status, std::string_view body = "") {
  const HttpAnswer given = answer(status, body);
  return error_of(given, parse_complaint(given));
}

std::string complaint_xml(std::string_view code, std::string_view message = "") {
  return fmt::format("<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>", code, message);
}

Result<S3Listing> listing(std::string_view xml) { return parse_listing(as_bytes(xml)); }

}  // namespace

TEST(S3Answer, a_status_alone_says_what_to_do) {
  EXPECT_EQ(error_for(404).code(), Errc::not_found);
  EXPECT_EQ(error_for(403).code(), Errc::permission_denied);
  EXPECT_EQ(error_for(412).code(), Errc::already_exists);
  for (const int status : {408, 409, 429, 500, 502, 503, 504}) EXPECT_EQ(error_for(status).code(), Errc::unavailable);
  EXPECT_EQ(error_for(507).code(), Errc::no_space);
  EXPECT_EQ(error_for(501).code(), Errc::unsupported);
  EXPECT_EQ(error_for(400).code(), Errc::invalid_argument);
  EXPECT_EQ(error_for(301).code(), Errc::invalid_argument);
}

TEST(S3Answer, the_code_in_the_body_says_it_better) {
  EXPECT_EQ(error_for(404, complaint_xml("NoSuchBucket")).code(), Errc::invalid_argument);
  EXPECT_EQ(error_for(403, complaint_xml("QuotaExceeded")).code(), Errc::no_space);
  EXPECT_EQ(error_for(400, complaint_xml("BadDigest")).code(), Errc::unavailable);
  EXPECT_EQ(error_for(400, complaint_xml("ExpiredToken")).code(), Errc::permission_denied);
  EXPECT_EQ(error_for(403, complaint_xml("InvalidAccessKeyId")).message(),
            "HTTP 403 InvalidAccessKeyId: the endpoint does not know this access key");
  EXPECT_EQ(error_for(400, complaint_xml("Strange", "words")).message(), "HTTP 400 Strange: words");
}

TEST(S3Answer, not_found_by_somebody_else_is_no_absence_of_an_object) {
  for (const int status : {404, 405, 501}) {
    const Error error = error_for(status, "<html><h1>Nothing here</h1></html>");
    EXPECT_EQ(error.code(), Errc::unavailable) << status;
    EXPECT_EQ(error.message(), fmt::format("HTTP {}, but not from S3: is the endpoint right?", status));
  }
  EXPECT_EQ(error_for(404, complaint_xml("NoSuchKey")).code(), Errc::not_found);
}

TEST(S3Answer, a_strangers_words_are_tamed) {
  const Error error = error_for(400, complaint_xml("Odd\x1b[31m", std::string(5000, 'x')));
  EXPECT_LT(error.message().size(), 300U);
  EXPECT_EQ(error.message().find('\x1b'), std::string::npos);
}

TEST(S3Answer, garbage_is_an_error_by_its_status) {
  for (const std::string_view body : {"", "<", "<html><h1>Bad gateway</h1></html>", "\xff\xfe\0\0", "<Error><Code>"}) {
    EXPECT_EQ(error_for(502, body).code(), Errc::unavailable) << body;
  }
}

TEST(S3Answer, a_listing_is_read) {
  const auto read = listing(
      "<ListBucketResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'><EncodingType>url</EncodingType>"
      "<IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;1</NextContinuationToken>"
      "<Contents><Key>a%2Fb+c</Key><Size>0</Size></Contents><Contents><Key>d</Key><Size>4194304</Size></Contents>"
      "</ListBucketResult>");
  ASSERT_TRUE(read);
  ASSERT_EQ(read->page.objects.size(), 2U);
  EXPECT_EQ(read->page.objects[0].key, "a/b c");
  EXPECT_EQ(read->page.objects[1].size_bytes, 4194304U);
  EXPECT_TRUE(read->page.more);
  EXPECT_EQ(read->continuation, "t&1");
}

TEST(S3Answer, what_is_no_listing_is_the_wrong_endpoint) {
  for (const std::string_view xml :
       {"", "hello", "<html></html>", "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>a</Key><Size>1x</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>", "<ListBucketResult>"}) {
    const auto read = listing(xml);
    ASSERT_FALSE(read) << xml;
    EXPECT_EQ(read.error().code(), Errc::unavailable);
    EXPECT_NE(read.error().message().find("is the endpoint right?"), std::string::npos);
  }
}

TEST(S3Answer, an_xml_bomb_does_not_go_off) {
  const auto read = listing(
      "<!DOCTYPE b [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>"
      "<ListBucketResult><Contents><Key>&b;</Key><Size>1</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->page.objects.at(0).key, "&b;");
  const std::string deep = [] {
    std::string xml;
    for (int i = 0; i < 1'000'000; ++i) xml += "<a>";
    return xml;
  }();
  EXPECT_FALSE(listing(deep));
}

TEST(S3Answer, a_deletion_names_its_keys_and_reports_the_first_that_failed) {
  EXPECT_EQ(deletion_request({"a", "b&c"}),
            "<?xml version=\"1.0\"?><Delete><Object><Key>a</Key></Object><Object><Key>b&amp;c</Key></Object>"
            "<Quiet>true</Quiet></Delete>");
  EXPECT_TRUE(parse_deletion(as_bytes("<DeleteResult/>")));
  EXPECT_TRUE(
      parse_deletion(as_bytes("<DeleteResult><Error><Key>a</Key><Code>NoSuchKey</Code></Error></DeleteResult>")));
  const auto refused =
      parse_deletion(as_bytes("<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::permission_denied);
  EXPECT_EQ(refused.error().message().substr(0, 15), "a: AccessDenied");
  EXPECT_FALSE(parse_deletion(as_bytes("<html/>")));
}

}  // namespace cairn
