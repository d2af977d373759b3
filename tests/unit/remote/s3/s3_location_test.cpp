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
                          "s3://models/p?anonymous=true&profile=my%20team&ca=/etc/my%26ca.pem"}) {
    const auto first = parse(url);
    ASSERT_TRUE(first) << url;
    const auto second = parse(first->url(), {{"AWS_REGION", "elsewhere"}, {"AWS_ENDPOINT_URL", "https://elsewhere"}});
    ASSERT_TRUE(second) << first->url();
    EXPECT_EQ(second->url(), first->url());
    EXPECT_EQ(second->host, first->host);
    EXPECT_EQ(second->ca_file, first->ca_file);
  }
}

TEST(S3Location, a_wrong_url_says_how_to_write_it) {
  EXPECT_EQ(error_of_url("s3:/models"), "invalid argument: write it as s3://bucket/prefix?endpoint=…");
  EXPECT_EQ(error_of_url("s3://"),
            "invalid argument: store 's3://': a bucket's name has 3 to 63 letters, digits, '-', '.' or '_'");
  EXPECT_NE(error_of_url("s3://models?endpoint=host:9000").find("write it as https://host"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?endpoint=http://host/path").find("only scheme, host and port"),
            std::string::npos);
  EXPECT_NE(error_of_url("s3://models?regoin=x").find("no parameter 'regoin'; there are: endpoint"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?region=a&region=b").find("given twice"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?region=a%2").find("region: two hexadecimal digits"), std::string::npos);
  EXPECT_NE(error_of_url("s3://models?style=flat").find("path or virtual"), std::string::npos);
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

TEST(S3Location, credentials_in_a_url_are_refused_and_not_repeated) {
  const std::string error = error_of_url("s3://models?endpoint=http://me:geheim@host");
  EXPECT_NE(error.find("do not belong into a URL"), std::string::npos);
  EXPECT_EQ(error.find("geheim"), std::string::npos);
}

}  // namespace cairn
