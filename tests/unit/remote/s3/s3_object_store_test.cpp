// The S3 store against an endpoint that misbehaves: what the caller is told, and that nothing hangs.
#include "remote/s3/s3_object_store.h"

#include <gtest/gtest.h>

#include "remote/atomic_create_proof.h"
#include "remote/decorators/retrying_object_store.h"
#include "remote/http/curl_transport.h"
#include "tests/support/fake_clock.h"
#include "tests/support/s3_store.h"
#include "tests/support/test_environment.h"

namespace cairn {

namespace {

constexpr std::string_view kKey = "chunks/ab/abcd";

Result<void> do_not_wait(std::chrono::nanoseconds, const RequestContext& context) { return context.check(); }

}  // namespace

class S3Store : public testing::Test {
 protected:
  std::string get() { return get(test_context()); }
  std::string get(const RequestContext& context) {
    const auto bytes = store_->get(std::string(kKey), {}, context);
    return bytes ? std::string(as_text(bytes->view())) : bytes.error().to_string();
  }
  std::string put(std::string_view text) {
    const auto put = store_->put_if_absent(std::string(kKey), as_bytes(text), test_context());
    return put ? "success" : put.error().to_string();
  }
  void keep(std::string text) { server_.s3().put(std::string(kKey), std::move(text)); }

  HostileHttpServer server_;
  std::unique_ptr<S3ObjectStore> store_ = open_s3_store(server_);
};

// Of a get, curl itself notices that a kept connection was closed, and uses another.
TEST_F(S3Store, after_a_broken_answer_there_is_the_whole_object_or_none) {
  keep(std::string(100'000, 'x'));
  for (const HttpDelivery delivery :
       {HttpDelivery::close_unread, HttpDelivery::close, HttpDelivery::close_half_way, HttpDelivery::close_in_chunks,
        HttpDelivery::reset, HttpDelivery::reset_half_way, HttpDelivery::silence, HttpDelivery::length_too_long,
        HttpDelivery::garbage, HttpDelivery::endless_head}) {
    server_.add({.delivery = delivery});
    const auto bytes = store_->get(std::string(kKey), {}, test_context());
    if (bytes) {
      EXPECT_EQ(bytes->size(), 100'000U) << static_cast<int>(delivery);
    } else {
      EXPECT_EQ(bytes.error().code(), Errc::unavailable) << bytes.error().to_string();
    }
    EXPECT_EQ(get().size(), 100'000U) << static_cast<int>(delivery);
  }
}

TEST_F(S3Store, answers_without_a_length_and_in_chunks_are_whole) {
  keep(std::string(3'000'000, 'y'));
  for (const HttpDelivery delivery : {HttpDelivery::no_length, HttpDelivery::chunked}) {
    server_.add({.delivery = delivery});
    EXPECT_EQ(get(), std::string(3'000'000, 'y'));
  }
}

TEST_F(S3Store, an_endless_body_is_not_read) {
  server_.add({.delivery = HttpDelivery::endless_body});
  EXPECT_EQ(get().substr(0, 8), "corrupt:");
}

TEST_F(S3Store, an_answer_that_drips_is_given_up) {
  keep(std::string(100'000, 'x'));
  server_.add({.delivery = HttpDelivery::drip});
  EXPECT_EQ(get().substr(0, 12), "unavailable:");
}

TEST_F(S3Store, a_black_hole_costs_no_more_than_the_connection_timeout) {
  server_.black_hole();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(get().substr(0, 12), "unavailable:");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(S3Store, the_callers_deadline_is_kept_while_the_endpoint_is_silent) {
  server_.add({.delivery = HttpDelivery::silence});
  EXPECT_EQ(get(RequestContext::within(std::chrono::milliseconds(50))).substr(0, 18), "deadline exceeded:");
}

TEST_F(S3Store, a_stop_ends_a_request_at_once) {
  server_.add({.delivery = HttpDelivery::silence});
  std::stop_source stop;
  std::jthread stopper([&] {
    ASSERT_TRUE(server_.wait_for_requests(1));
    stop.request_stop();
  });
  EXPECT_EQ(get(RequestContext::within(std::chrono::seconds(30), Cause::demand, stop.get_token())).substr(0, 10),
            "cancelled:");
}

TEST_F(S3Store, the_path_of_the_endpoint_is_sent_as_it_stands) {
  S3Client::Options options;
  const std::string url = "s3://team:bucket/p?endpoint=" + server_.endpoint() + "/storage/v1.0/s3~x/";
  options.location = parse_s3_url(url, [](const std::string&) { return std::nullopt; }).value();
  options.transport = make_impatient_transport();
  S3ObjectStore store(std::move(options), false, system_clock());
  server_.add({.reply = HttpReply{.status = 200, .body = "v"}});
  EXPECT_TRUE(store.get("key", {}, test_context()));
  EXPECT_EQ(server_.requests().back().target, "/storage/v1.0/s3~x/team%3Abucket/p/key");
}

TEST_F(S3Store, a_refused_connection_says_so) {
  const std::string endpoint = [] { return HostileHttpServer().endpoint(); }();
  S3Client::Options options;
  options.location = parse_s3_url("s3://bucket?anonymous=true&endpoint=" + endpoint, [](const std::string&) {
                       return std::nullopt;
                     }).value();
  options.transport = make_impatient_transport();
  store_ = std::make_unique<S3ObjectStore>(std::move(options), false, system_clock());
  const std::string error = get();
  EXPECT_EQ(error.substr(0, 12), "unavailable:");
  EXPECT_NE(error.find("Connection refused"), std::string::npos) << error;
}

TEST_F(S3Store, a_put_whose_answer_is_lost_is_never_sent_again_by_the_client_itself) {
  ASSERT_EQ(get().substr(0, 10), "not found:");  // now there is a connection to be kept
  server_.forget_requests();
  for (const HttpDelivery delivery : {HttpDelivery::close, HttpDelivery::reset, HttpDelivery::silence}) {
    server_.add({.method = "PUT", .delivery = delivery, .happens = true});
    EXPECT_EQ(put("mine").substr(0, 12), "unavailable:");
    EXPECT_EQ(server_.count("PUT"), 1U) << static_cast<int>(delivery);
    EXPECT_EQ(get(), "mine");
    ASSERT_TRUE(store_->remove({std::string(kKey)}, test_context()));
    server_.forget_requests();
  }
}

TEST_F(S3Store, an_ambiguous_put_is_settled_by_reading_back) {
  SeededRandom random(test_seed());
  RetryingObjectStore retrying(*store_, {}, random, do_not_wait);
  server_.add({.method = "PUT", .delivery = HttpDelivery::close, .happens = true});
  EXPECT_TRUE(retrying.put_if_absent("mine", as_bytes("mine"), test_context()));

  server_.s3().put("theirs", "theirs");
  server_.add({.method = "PUT", .delivery = HttpDelivery::close});
  const auto put = retrying.put_if_absent("theirs", as_bytes("mine"), test_context());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code(), Errc::already_exists);
}

TEST_F(S3Store, a_conflict_of_two_puts_is_tried_again) {
  server_.add({.method = "PUT", .reply = s3_error(409, "ConditionalRequestConflict")});
  EXPECT_EQ(put("v").substr(0, 12), "unavailable:");
}

TEST_F(S3Store, a_range_that_the_endpoint_ignores_is_cut_here) {
  keep("0123456789");
  HttpReply whole;
  whole.status = 200;
  whole.body = "0123456789";
  server_.add({.method = "GET", .reply = whole});
  const auto bytes = store_->get(std::string(kKey), {.offset = 3, .length = 4}, test_context());
  ASSERT_TRUE(bytes);
  EXPECT_EQ(as_text(bytes->view()), "3456");
}

TEST_F(S3Store, another_range_than_asked_for_is_refused) {
  HttpReply other;
  other.status = 206;
  other.headers = {{"Content-Range", "bytes 0-3/10"}};
  other.body = "0123";
  server_.add({.method = "GET", .reply = other});
  const auto bytes = store_->get(std::string(kKey), {.offset = 3, .length = 4}, test_context());
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code(), Errc::unavailable);
}

TEST_F(S3Store, a_listing_goes_on_over_empty_pages) {
  server_.s3().put("d/b", "");
  HttpReply empty;
  empty.status = 200;
  empty.body =
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>d/a</NextContinuationToken>"
      "</ListBucketResult>";
  server_.add({.method = "GET", .times = 2, .reply = empty});
  const auto page = store_->list("d/", "", 10, test_context());
  ASSERT_TRUE(page) << page.error().to_string();
  ASSERT_EQ(page->objects.size(), 1U);
  EXPECT_EQ(page->objects[0].key, "d/b");
  EXPECT_EQ(server_.count("GET", "continuation-token"), 2U);
}

TEST_F(S3Store, listings_out_of_order_are_refused) {
  HttpReply listing;
  listing.status = 200;
  listing.body =
      "<ListBucketResult><Contents><Key>b</Key><Size>1</Size></Contents><Contents><Key>a</Key><Size>1</Size></Contents>"
      "</ListBucketResult>";
  server_.add({.reply = listing});
  const auto page = store_->list("", "", 10, test_context());
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code(), Errc::unsupported);
}

TEST_F(S3Store, redirects_that_name_no_region_end_with_an_error) {
  server_.add({.times = HttpRule::kAlways, .reply = HttpReply{.status = 307, .headers = {{"Location", "/"}}}});
  EXPECT_EQ(get().substr(0, 17), "invalid argument:");
  EXPECT_EQ(server_.count(), 1U);
}

TEST_F(S3Store, a_redirect_to_another_region_is_followed_and_remembered) {
  keep("v");
  server_.add({.reply = HttpReply{.status = 301, .headers = {{"x-amz-bucket-region", "eu-west-9"}}}});
  EXPECT_EQ(get(), "v");
  EXPECT_EQ(server_.count(), 2U);
  EXPECT_EQ(get(), "v");
  EXPECT_EQ(server_.count(), 3U);
}

TEST_F(S3Store, regions_that_lead_in_circles_end_with_an_error) {
  for (uint64_t nth = 1; nth < 20; nth += 2) {
    for (const uint64_t side : {uint64_t{0}, uint64_t{1}}) {
      server_.add({.nth = nth + side,
                   .reply = HttpReply{.status = 301, .headers = {{"x-amz-bucket-region", side == 0 ? "a" : "b"}}}});
    }
  }
  EXPECT_EQ(get().substr(0, 17), "invalid argument:");
  EXPECT_LT(server_.count(), 6U);
}

TEST_F(S3Store, a_missing_bucket_is_no_missing_object) {
  server_.add({.reply = s3_error(404, "NoSuchBucket")});
  EXPECT_NE(get().find("the bucket does not exist"), std::string::npos);
  server_.add({.method = "DELETE", .reply = s3_error(404, "NoSuchBucket")});
  EXPECT_FALSE(store_->remove({std::string(kKey)}, test_context()));
}

TEST_F(S3Store, opened_for_reading_it_asks_for_no_change) {
  S3Client::Options options;
  options.location = parse_s3_url("s3://bucket?endpoint=" + server_.endpoint(), [](const std::string&) {
                       return std::nullopt;
                     }).value();
  options.transport = make_impatient_transport();
  S3ObjectStore store(std::move(options), true, system_clock());
  EXPECT_EQ(store.put_if_absent("a", {}, test_context()).error().code(), Errc::read_only);
  EXPECT_EQ(store.remove({"a"}, test_context()).error().code(), Errc::read_only);
  EXPECT_EQ(server_.count(), 0U);
}

TEST_F(S3Store, that_creates_atomically_proves_it_and_leaves_nothing) {
  SeededRandom random(test_seed());
  EXPECT_TRUE(prove_atomic_create(*store_, random, test_context()));
  EXPECT_EQ(server_.s3().size(), 0U);
}

TEST_F(S3Store, that_ignores_conditions_is_found_out) {
  server_.s3().ignore_conditions();
  SeededRandom random(test_seed());
  const auto proven = prove_atomic_create(*store_, random, test_context());
  ASSERT_FALSE(proven);
  EXPECT_EQ(proven.error().code(), Errc::unsupported);
  EXPECT_NE(proven.error().message().find("--read-only"), std::string::npos);
  EXPECT_EQ(server_.s3().size(), 0U);
}

// Signed requests: what is learned from refusals.
class SignedS3Store : public testing::Test {
 protected:
  // Gives "key 1", then "key 2" when asked for newer ones.
  class Rotating final : public CredentialsProvider {
   public:
    Result<Credentials> credentials(const RequestContext& /*context*/, const Credentials* stale) override {
      if (stale != nullptr) ++fetched;
      return Credentials{fmt::format("key{}", fetched), "secret-never-shown", "", {}};
    }
    int fetched = 1;
  };

  void SetUp() override {
    server_.s3().put("a", "v");
    S3Client::Options options;
    options.location = parse_s3_url("s3://bucket?endpoint=" + server_.endpoint(), [](const std::string&) {
                         return std::nullopt;
                       }).value();
    options.transport = make_impatient_transport();
    options.credentials = std::make_unique<Rotating>();
    store_ = std::make_unique<S3ObjectStore>(std::move(options), false, clock_);
  }
  [[nodiscard]] std::string header_of_last(const std::string& name) const {
    const auto requests = server_.requests();
    return std::string(requests.back().header(name).value_or("none"));
  }

  FakeClock clock_;
  HostileHttpServer server_;
  std::unique_ptr<S3ObjectStore> store_;
};

TEST_F(SignedS3Store, an_expired_token_is_replaced_once) {
  server_.add({.reply = s3_error(400, "ExpiredToken")});
  EXPECT_TRUE(store_->get("a", {}, test_context()));
  EXPECT_NE(header_of_last("authorization").find("key2/"), std::string::npos);
  server_.add({.times = HttpRule::kAlways, .reply = s3_error(400, "ExpiredToken")});
  const auto refused = store_->get("a", {}, test_context());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::permission_denied);
  EXPECT_EQ(refused.error().message().find("secret-never-shown"), std::string::npos);
}

TEST_F(SignedS3Store, a_skewed_clock_is_corrected_by_the_endpoints_date) {
  HttpReply skewed = s3_error(403, "RequestTimeTooSkewed");
  skewed.headers.push_back({"Date", "Thu, 01 Jan 2026 03:00:00 GMT"});
  server_.add({.reply = skewed});
  EXPECT_TRUE(store_->get("a", {}, test_context()));
  EXPECT_EQ(header_of_last("x-amz-date"), "20260101T030000Z");
  EXPECT_TRUE(store_->get("a", {}, test_context()));
  EXPECT_EQ(header_of_last("x-amz-date"), "20260101T030000Z");
  EXPECT_EQ(server_.count(), 3U);
}

TEST_F(SignedS3Store, the_payload_is_signed_and_the_condition_sent) {
  EXPECT_TRUE(store_->put_if_absent("b", as_bytes("hello"), test_context()));
  EXPECT_EQ(header_of_last("x-amz-content-sha256"), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(header_of_last("if-none-match"), "*");
}

}  // namespace cairn
