#include "remote/s3/s3_location.h"

#include <gtest/gtest.h>

#include <map>

namespace cairn {

namespace {

using Variables = std::map<std::string, std::string>;

Result<S3Location> parse(const std::string& url, const Variables& variables = {}) {
  return parse_s3_url(url, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

std::string error_of_url(const std::string& url) {
  const auto parsed = parse(url);
  return parsed ? "no error" : parsed.error().to_string();
}

}  // namespace

TEST(S3Location, a_bucket_alone_is_at_aws) {
  const auto location = parse("s3://models");
  ASSERT_TRUE(location);
  EXPECT_EQ(location->bucket, "models");
  EXPECT_EQ(location->prefix, "");
  EXPECT_EQ(location->scheme, "https");
  EXPECT_EQ(location->host, "s3.us-east-1.amazonaws.com");
  EXPECT_EQ(location->region, "us-east-1");
  EXPECT_FALSE(location->path_style);
  EXPECT_FALSE(location->anonymous);
}

TEST(S3Location, an_endpoint_of_ones_own_is_asked_in_path_style) {
  const auto location = parse("s3://models/team/a/?endpoint=http%3A%2F%2F127.0.0.1:9000&region=eu");
  ASSERT_TRUE(location) << location.error().to_string();
  EXPECT_EQ(location->prefix, "team/a/");
  EXPECT_EQ(location->scheme, "http");
  EXPECT_EQ(location->host, "127.0.0.1:9000");
  EXPECT_EQ(location->region, "eu");
  EXPECT_TRUE(location->path_style);
}

TEST(S3Location, what_the_url_does_not_say_the_environment_may) {
  const Variables variables = {{"AWS_ENDPOINT_URL", "https://other"},
                               {"AWS_ENDPOINT_URL_S3", "https://store.example:443/"},
                               {"AWS_DEFAULT_REGION", "nowhere"},
                               {"AWS_REGION", "eu-central-1"},
                               {"AWS_CA_BUNDLE", "/etc/ca.pem"}};
  const auto location = parse("s3://models", variables);
  ASSERT_TRUE(location);
  EXPECT_EQ(location->host, "store.example");
  EXPECT_EQ(location->region, "eu-central-1");
  EXPECT_EQ(location->ca_file, "/etc/ca.pem");
  EXPECT_EQ(parse("s3://models?region=x&endpoint=https://y", variables)->host, "y");
}

TEST(S3Location, a_bucket_with_dots_is_no_part_of_a_tls_host_name) {
  EXPECT_TRUE(parse("s3://my.models")->path_style);
  EXPECT_FALSE(parse("s3://my.models?style=virtual")->path_style);
}

TEST(S3Location, its_url_parses_to_the_same_place_whatever_the_environment) {
  for (const char* url : {"s3://models", "s3://models/a/b?region=eu-west-1",
                          "s3://models?endpoint=http://h:1&style=virtual&insecure=true",
                          "s3://models/p?anonymous=true&profile=my%20team&ca=/etc/my%26ca.pem",
                          "s3://models/p?endpoint=https://h/storage/v1/s3/", "s3://team:models/p?endpoint=https://h",
                          "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/train/a/b?profile=x",
                          "s3://models?sse=aws:kms&sse-kms-key-id=arn:aws:kms:eu:1:key/a%2Bb&sse-bucket-key=true",
                          "s3://models?storage-class=GLACIER_IR&requester-pays=true"}) {
    const auto first = parse(url);
    ASSERT_TRUE(first) << url;
    const auto second = parse(first->url(), {{"AWS_REGION", "elsewhere"}, {"AWS_ENDPOINT_URL", "https://elsewhere"}});
    ASSERT_TRUE(second) << first->url();
    EXPECT_EQ(second->url(), first->url());
    EXPECT_EQ(second->host, first->host);
    EXPECT_EQ(second->base_path, first->base_path);
    EXPECT_EQ(second->terms.parameters(), first->terms.parameters());
    EXPECT_EQ(second->ca_file, first->ca_file);
  }
}

TEST(S3Location, a_wrong_url_says_how_to_write_it) {
  EXPECT_EQ(error_of_url("s3:/models"), "invalid argument: write it as s3://bucket/prefix?endpoint=…");
  EXPECT_EQ(error_of_url("s3://"),
            "invalid argument: store 's3://': a bucket's name has 3 to 63 letters, digits, '-', '.' or '_'");
  EXPECT_NE(error_of_url("s3://models?endpoint=host:9000").find("write it as https://host"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?endpoint=http://host/path?x=y").find("only scheme, host, port and path"),
            std::string::npos);
  EXPECT_NE(error_of_url("s3://models?regoin=x").find("no parameter 'regoin'; there are: endpoint"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?region=a&region=b").find("given twice"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?region=a%2").find("region: two hexadecimal digits"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?style=flat").find("style: not 'flat'; there are: path, virtual"),
            std::string::npos);
  EXPECT_NE(error_of_url("s3://models?anonymous=yes").find("true or false"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models/a//b").find("prefix"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models/../b").find("prefix"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?region=a\r\nx: y").find("region"), std::string::npos);
}

TEST(S3Location, credentials_cross_a_network_in_the_clear_only_where_the_user_says_so) {
  for (const char* here : {"http://localhost", "http://127.0.0.1:9000", "http://127.9.9.9", "http://[::1]:80"}) {
    EXPECT_TRUE(parse(std::string("s3://models?endpoint=") + here)) << here;
  }
  for (const char* elsewhere : {"http://10.0.0.1", "http://127.0.0.1.example.com", "http://localhost.example.com:80",
                                "http://127.example.com", "http://[::2]:80", "http://host"}) {
    const std::string url = std::string("s3://models?endpoint=") + elsewhere;
    EXPECT_NE(error_of_url(url).find("insecure=true"), std::string::npos) << elsewhere;
    EXPECT_TRUE(parse(url + "&insecure=true")) << elsewhere;
    EXPECT_TRUE(parse(url + "&anonymous=true")) << elsewhere;
  }
}

TEST(S3Location, an_endpoint_may_have_a_path) {
  const auto location = parse("s3://models?endpoint=https://project.example:443/storage/v1/s3/");
  ASSERT_TRUE(location) << location.error().to_string();
  EXPECT_EQ(location->host, "project.example");
  EXPECT_EQ(location->base_path, "/storage/v1/s3");
  EXPECT_TRUE(location->path_style);
  EXPECT_EQ(location->path_of("a/b"), "/storage/v1/s3/models/a/b");
  EXPECT_EQ(parse("s3://models", {{"AWS_ENDPOINT_URL", "https://h/x"}})->base_path, "/x");
  for (const char* path : {"/a//b", "//a", "/a/../b", "/..", "/./a", "/a%252Fb", "/a b", "/a;b", "/\xc3\xa4"}) {
    const std::string error = error_of_url(std::string("s3://models?endpoint=https://h") + path);
    EXPECT_NE(error.find("endpoint: its path"), std::string::npos) << path << ": " << error;
  }
}

TEST(S3Location, an_endpoints_host_is_a_host) {
  for (const char* host :
       {"h:", "h:9x", "[::1", "[]", "[::g]", "h%0d%0aX-Evil:%20y", "h%00", "a,b", "h:1:2", "%C3%A4"}) {
    EXPECT_NE(error_of_url(std::string("s3://models?endpoint=https://") + host).find("endpoint: "), std::string::npos)
        << host;
  }
  EXPECT_EQ(parse("s3://models?endpoint=https://[fd00::1]:9000")->host, "[fd00::1]:9000");
}

TEST(S3Location, a_bucket_cannot_stand_in_front_of_an_address) {
  for (const char* host : {"10.0.0.1", "[fd00::1]:9000"}) {
    const std::string url = std::string("s3://models?endpoint=https://") + host;
    EXPECT_TRUE(parse(url)) << host;
    EXPECT_NE(error_of_url(url + "&style=virtual").find("use style=path"), std::string::npos) << host;
  }
}

TEST(S3Location, regions_of_china_have_their_own_domain) {
  EXPECT_EQ(parse("s3://models?region=cn-north-1")->host, "s3.cn-north-1.amazonaws.com.cn");
}

TEST(S3Location, a_tenants_bucket_is_asked_in_path_style) {
  const auto location = parse("s3://team_1:models/a?endpoint=https://rgw.example");
  ASSERT_TRUE(location) << location.error().to_string();
  EXPECT_EQ(location->bucket, "team_1:models");
  EXPECT_EQ(location->prefix, "a/");
  EXPECT_EQ(location->path_of("k"), "/team_1:models/k");
  EXPECT_NE(error_of_url("s3://team:models").find("AWS has no tenants"), std::string::npos);
  EXPECT_NE(error_of_url("s3://team:models?endpoint=https://h&style=virtual").find("style=path"), std::string::npos);
  for (const char* bucket : {":models", "te-am:models", "a:b:models", "te am:models"}) {
    EXPECT_NE(error_of_url(fmt::format("s3://{}?endpoint=https://h", bucket)).find("invalid argument"),
              std::string::npos)
        << bucket;
  }
}

TEST(S3Location, an_access_point_is_where_its_arn_says_whatever_the_environment) {
  const auto location = parse("s3://arn:aws:s3:us-west-2:123456789012:accesspoint/train/team/a",
                              {{"AWS_REGION", "elsewhere"}, {"AWS_ENDPOINT_URL", "https://elsewhere"}});
  ASSERT_TRUE(location) << location.error().to_string();
  EXPECT_EQ(location->host_at(location->host), "train-123456789012.s3-accesspoint.us-west-2.amazonaws.com");
  EXPECT_EQ(location->path_of("k"), "/k");
  EXPECT_EQ(location->region, "us-west-2");
  EXPECT_EQ(location->prefix, "team/a/");
  EXPECT_EQ(parse("s3://arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/train")->host,
            "s3-accesspoint.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(parse("s3://arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/train")->host,
            "s3-accesspoint.us-gov-west-1.amazonaws.com");
}

TEST(S3Location, an_access_point_where_it_cannot_work_is_refused_with_the_reason) {
  const std::string arn = "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/train";
  const std::map<std::string, std::string> refusals = {
      {arn + "?endpoint=https://h", "endpoint: an access point's ARN says where it is"},
      {arn + "?region=eu-west-1", "region: the access point's ARN says us-west-2"},
      {arn + "?style=path", "style: an access point is part of its host's name"},
      {"s3://arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/x", "S3 on Outposts"},
      {"s3://arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/x", "Object Lambda"},
      {"s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", "SigV4A"},
      {"s3://arn:aws:s3:::models", "SigV4A"},
      {"s3://arn:evil:s3:us-west-2:123456789012:accesspoint/train", "is written as arn:aws:s3:REGION"},
      {"s3://arn:aws:sqs:us-west-2:123456789012:accesspoint/train", "is written as arn:aws:s3:REGION"},
      {"s3://arn:aws:s3:us-west-2:1234:accesspoint/train", "is written as arn:aws:s3:REGION"},
      {"s3://arn:aws:s3:us.evil:123456789012:accesspoint/train", "is written as arn:aws:s3:REGION"},
      {"s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ev.il", "is written as arn:aws:s3:REGION"},
      {"s3://arn:aws:s3:us-west-2:123456789012:accesspoint/", "is written as arn:aws:s3:REGION"},
      {"s3://arn:aws:s3:us-west-2:123456789012:bucket/train", "is written as arn:aws:s3:REGION"},
      {"s3://arn:", "is written as arn:aws:s3:REGION"}};
  for (const auto& [url, words] : refusals) {
    EXPECT_NE(error_of_url(url).find(words), std::string::npos) << url << ": " << error_of_url(url);
  }
  EXPECT_TRUE(parse(arn + "?region=us-west-2&style=virtual"));
}

TEST(S3Location, terms_that_cannot_work_are_refused_with_what_can) {
  const std::map<std::string, std::string> refusals = {
      {"sse=yes", "sse: not 'yes'; there are: AES256, aws:kms, aws:kms:dsse"},
      {"sse=", "sse: not ''"},
      {"sse=AES256%0d%0ax-evil:%20y", "sse: it holds a line feed"},
      {"sse-kms-key-id=a", "sse-kms-key-id: only with sse=aws:kms"},
      {"sse=AES256&sse-kms-key-id=a", "sse-kms-key-id: only with sse=aws:kms"},
      {"sse=aws:kms&sse-kms-key-id=", "sse-kms-key-id: a key's id"},
      {"sse=aws:kms&sse-kms-key-id=a%20b", "sse-kms-key-id: a key's id"},
      {"sse=aws:kms&sse-kms-key-id=a%0ab", "sse-kms-key-id: it holds a line feed"},
      {"sse=aws:kms&sse-kms-key-id=" + std::string(2049, 'x'), "sse-kms-key-id: a key's id"},
      {"sse-bucket-key=true", "sse-bucket-key: only with sse=aws:kms"},
      {"sse=aws:kms:dsse&sse-bucket-key=true", "sse-bucket-key: only with sse=aws:kms"},
      {"sse=aws:kms&sse-bucket-key=1", "sse-bucket-key: true or false, not '1'"},
      {"sse=aws:kms&anonymous=true", "sse: a key service serves no anonymous"},
      {"storage-class=GLACIER", "must be restored before they are read"},
      {"storage-class=DEEP_ARCHIVE", "must be restored before they are read"},
      {"storage-class=standard", "storage-class: not 'standard'; there are: STANDARD, STANDARD_IA"},
      {"requester-pays=yes", "requester-pays: true or false"},
      {"requester-pays=true&anonymous=true", "nobody could be charged"},
      {"profile=a%0ab", "profile: it holds a line feed"},
      {"ca=/a%7f", "ca: it holds a line feed"}};
  for (const auto& [parameters, words] : refusals) {
    const std::string error = error_of_url("s3://models?" + parameters);
    EXPECT_NE(error.find(words), std::string::npos) << parameters << ": " << error;
    EXPECT_EQ(error.find('\r'), std::string::npos);
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
}

TEST(S3Location, credentials_in_a_url_are_refused_and_not_repeated) {
  const std::string error = error_of_url("s3://models?endpoint=http://me:geheim@host");
  EXPECT_NE(error.find("do not belong into a URL"), std::string::npos);
  EXPECT_EQ(error.find("geheim"), std::string::npos);
}

}  // namespace cairn
