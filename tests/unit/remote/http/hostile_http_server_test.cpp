#include "tests/support/hostile_http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace cairn {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A client that knows nothing but sockets, so that the server's bytes are seen as they are.
class RawClient {
 public:
  explicit RawClient(const HostileHttpServer& server, int flags = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)) {
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port =
        htons(static_cast<uint16_t>(std::stoi(server.endpoint().substr(server.endpoint().rfind(':') + 1))));
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) error_ = errno;
  }

  void send(std::string_view bytes) { ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  void send(const std::string& method, const std::string& target, const std::string& headers = {},
            const std::string& body = {}) {
    send(fmt::format("{} {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n{}\r\n{}", method, target, body.size(),
                     headers, body));
  }
  // At most `size` bytes; fewer at the end of the connection, whose reason is then in error().
  std::string receive(size_t size) {
    std::string all;
    while (all.size() < size) {
      char buffer[4096];
      const ssize_t got = ::recv(socket_.get(), buffer, std::min(sizeof buffer, size - all.size()), 0);
      if (got <= 0) {
        error_ = got < 0 ? errno : 0;
        break;
      }
      all.append(buffer, static_cast<size_t>(got));
    }
    return all;
  }
  std::string receive_all() { return receive(SIZE_MAX); }
  std::string receive_head() {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      const std::string next = receive(1);
      if (next.empty()) break;
      head += next;
    }
    return head;
  }
  [[nodiscard]] bool connected_within(int milliseconds) const {
    pollfd one{socket_.get(), POLLOUT, 0};
    return ::poll(&one, 1, milliseconds) == 1;
  }
  [[nodiscard]] int error() const { return error_; }

 private:
  UniqueFd socket_;
  int error_ = 0;
};

class HostileServer : public testing::Test {
 protected:
  // All that the server sends in return for one request.
  std::string ask(const std::string& method, const std::string& target, const std::string& headers = {},
                  const std::string& body = {}) {
    RawClient client(server_);
    client.send(method, target, "Connection: close\r\n" + headers, body);
    return client.receive_all();
  }
  // What the next GET of an object of ten bytes gets.
  std::string read_by(HttpDelivery delivery) {
    server_.s3().put("ten", "0123456789");
    server_.add({.delivery = delivery});
    return ask("GET", "/bucket/ten");
  }

  HostileHttpServer server_;
};

TEST_F(HostileServer, an_object_is_read_back_whole_in_part_and_by_its_size) {
  EXPECT_THAT(ask("PUT", "/bucket/a/b%20c", "Expect: 100-continue\r\n", "0123456789"),
              StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"));
  EXPECT_EQ(server_.s3().get("a/b c"), "0123456789");
  EXPECT_THAT(ask("GET", "/bucket/a/b%20c"), EndsWith("\r\n\r\n0123456789"));
  EXPECT_THAT(ask("GET", "/bucket/a/b%20c", "Range: bytes=2-4\r\n"),
              testing::AllOf(StartsWith("HTTP/1.1 206"), HasSubstr("Content-Range: bytes 2-4/10"), EndsWith("\n234")));
  EXPECT_THAT(ask("GET", "/bucket/a/b%20c", "Range: bytes=8-100\r\n"), EndsWith("\n89"));
  EXPECT_THAT(ask("GET", "/bucket/a/b%20c", "Range: bytes=-1\r\n"), EndsWith("\n9"));
  EXPECT_THAT(ask("GET", "/bucket/a/b%20c", "Range: bytes=10-\r\n"), StartsWith("HTTP/1.1 416"));
  EXPECT_THAT(ask("HEAD", "/bucket/a/b%20c"),
              testing::AllOf(HasSubstr("Content-Length: 10\r\n"), EndsWith("\r\n\r\n")));
  EXPECT_THAT(ask("GET", "/bucket/none"), testing::AllOf(StartsWith("HTTP/1.1 404"), HasSubstr("NoSuchKey")));
  EXPECT_THAT(ask("GET", "/other/a"), HasSubstr("NoSuchBucket"));
}

TEST_F(HostileServer, of_many_conditional_puts_exactly_one_succeeds) {
  std::atomic<int> first{0};
  std::vector<std::thread> racers;
  for (int i = 0; i < 16; ++i) {
    racers.emplace_back([&, i] {
      const std::string answer = ask("PUT", "/bucket/key", "If-None-Match: *\r\n", std::to_string(i));
      if (answer.starts_with("HTTP/1.1 200")) ++first;
    });
  }
  for (auto& racer : racers) racer.join();
  EXPECT_EQ(first, 1);
  EXPECT_THAT(ask("PUT", "/bucket/key", "If-None-Match: *\r\n", "x"), HasSubstr("PreconditionFailed"));
  server_.s3().ignore_conditions();
  EXPECT_THAT(ask("PUT", "/bucket/key", "If-None-Match: *\r\n", "x"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HostileServer, listings_come_in_pages_sorted_and_encoded_as_asked) {
  for (const char* key : {"b/2", "a", "b/1", "b/3&", "c"}) server_.s3().put(key, "x");
  const std::string first = ask("GET", "/bucket?list-type=2&prefix=b%2F&max-keys=2");
  EXPECT_THAT(first, HasSubstr("<IsTruncated>true</IsTruncated>"));
  EXPECT_THAT(first, HasSubstr("<NextContinuationToken>b/2</NextContinuationToken>"));
  EXPECT_LT(first.find("<Key>b/1</Key>"), first.find("<Key>b/2</Key>"));
  EXPECT_THAT(first, Not(HasSubstr("b/3")));
  const std::string second = ask("GET", "/bucket/?list-type=2&prefix=b%2F&continuation-token=b%2F2");
  EXPECT_THAT(second, HasSubstr("<IsTruncated>false</IsTruncated><Contents><Key>b/3&amp;</Key>"));
  EXPECT_THAT(ask("GET", "/bucket/?list-type=2&start-after=b%2F2&encoding-type=url"), HasSubstr("<Key>b/3%26</Key>"));
  server_.s3().limit_pages(1);
  EXPECT_THAT(ask("GET", "/bucket?list-type=2"), HasSubstr("<KeyCount>1</KeyCount>"));
}

TEST_F(HostileServer, objects_are_removed_one_by_one_and_many_at_once) {
  for (const char* key : {"a", "b", "c&d"}) server_.s3().put(key, "x");
  EXPECT_THAT(ask("DELETE", "/bucket/a"), StartsWith("HTTP/1.1 204"));
  const std::string both = "<Delete><Object><Key>b</Key></Object><Object><Key>c&amp;d</Key></Object></Delete>";
  EXPECT_THAT(ask("POST", "/bucket?delete", "", both), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("POST", "/bucket?delete", "Content-MD5: x\r\n", both), HasSubstr("<Key>c&amp;d</Key>"));
  EXPECT_EQ(server_.s3().size(), 0);
}

TEST_F(HostileServer, a_rule_hits_the_requests_it_names_and_no_others) {
  server_.s3().put("chunks/1", "x");
  server_.add({.method = "GET", .target_part = "/chunks/", .nth = 2, .times = 2, .reply = s3_error(503, "SlowDown")});
  std::string statuses;
  for (int i = 0; i < 4; ++i) {
    ask("HEAD", "/bucket/chunks/1");
    statuses += ask("GET", "/bucket/chunks/1").substr(9, 4);
  }
  EXPECT_EQ(statuses, "200 503 503 200 ");
  EXPECT_EQ(server_.count("GET", "chunks"), 4);
  EXPECT_EQ(server_.count(), 8);
}

TEST_F(HostileServer, a_put_whose_answer_is_lost_happened_or_not_as_the_rule_says) {
  server_.add({.delivery = HttpDelivery::close});
  EXPECT_EQ(ask("PUT", "/bucket/lost", "", "x"), "");
  EXPECT_EQ(server_.s3().get("lost"), std::nullopt);
  server_.add({.delivery = HttpDelivery::close, .happens = true});
  EXPECT_EQ(ask("PUT", "/bucket/done", "", "x"), "");
  EXPECT_EQ(server_.s3().get("done"), "x");
  server_.add({.reply = s3_error(500, "InternalError"), .happens = true});
  EXPECT_THAT(ask("PUT", "/bucket/denied", "", "x"), StartsWith("HTTP/1.1 500"));
  EXPECT_EQ(server_.s3().get("denied"), "x");
}

TEST_F(HostileServer, answers_are_delivered_whole_by_other_means) {
  EXPECT_THAT(read_by(HttpDelivery::no_length),
              testing::AllOf(Not(HasSubstr("Content-Length")), EndsWith("\r\n\r\n0123456789")));
  EXPECT_THAT(read_by(HttpDelivery::chunked), EndsWith("\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"));
  server_.add({.delivery = HttpDelivery::drip, .drip_bytes = 16, .drip_interval = std::chrono::milliseconds(1)});
  EXPECT_THAT(ask("GET", "/bucket/ten"), EndsWith("\r\n\r\n0123456789"));
}

TEST_F(HostileServer, answers_are_broken_off) {
  for (const auto nothing : {HttpDelivery::close_unread, HttpDelivery::close, HttpDelivery::reset}) {
    EXPECT_EQ(read_by(nothing), "");
  }
  EXPECT_THAT(read_by(HttpDelivery::close_half_way),
              testing::AllOf(HasSubstr("Content-Length: 10"), EndsWith("\r\n\r\n01234")));
  EXPECT_THAT(read_by(HttpDelivery::close_in_chunks), EndsWith("\r\n\r\na\r\n0123456789\r\n"));
  server_.add({.delivery = HttpDelivery::reset});
  RawClient client(server_);
  client.send("GET", "/bucket/ten");
  client.receive_all();
  EXPECT_EQ(client.error(), ECONNRESET);
}

TEST_F(HostileServer, answers_lie) {
  EXPECT_THAT(read_by(HttpDelivery::length_too_long), HasSubstr("Content-Length: 20\r\n"));
  EXPECT_THAT(read_by(HttpDelivery::length_too_short),
              testing::AllOf(HasSubstr("Content-Length: 5\r\n"), EndsWith("\r\n\r\n0123456789")));
  EXPECT_THAT(read_by(HttpDelivery::garbage), StartsWith("SSH-"));
  for (const auto endless : {HttpDelivery::endless_head, HttpDelivery::endless_body}) {
    server_.add({.delivery = endless});
    RawClient client(server_);
    client.send("GET", "/bucket/ten");
    EXPECT_EQ(client.receive(1 << 20).size(), 1U << 20);
  }
}

TEST_F(HostileServer, a_connection_serves_one_request_after_the_other) {
  RawClient client(server_);
  for (int i = 0; i < 3; ++i) {
    client.send("PUT", "/bucket/" + std::to_string(i), "X-Test: yes\r\n", "abc");
    EXPECT_THAT(client.receive_head(), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_EQ(server_.connections(), 1);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 3);
  EXPECT_EQ(requests[2].method, "PUT");
  EXPECT_EQ(requests[2].target, "/bucket/2");
  EXPECT_EQ(requests[2].header("x-test"), "yes");
  EXPECT_EQ(requests[2].body_bytes, 3);
}

TEST(HostileServerHook, answers_in_place_of_s3) {
  HostileHttpServer server("bucket", [](const SeenRequest& request, std::string_view body) {
    return body == "bad" ? std::optional(redirect_to(307, request.target)) : std::nullopt;
  });
  RawClient client(server);
  client.send("PUT", "/bucket/a", "Connection: close\r\n", "bad");
  EXPECT_THAT(client.receive_all(), testing::AllOf(StartsWith("HTTP/1.1 307"), HasSubstr("Location: /bucket/a\r\n")));
  EXPECT_EQ(server.s3().size(), 0);
}

TEST_F(HostileServer, an_answer_waits_at_its_gate) {
  const auto gate = std::make_shared<Gate>();
  server_.add({.gate = gate});
  RawClient client(server_);
  client.send("PUT", "/bucket/a", "Connection: close\r\n", "x");
  ASSERT_TRUE(gate->wait_for_arrivals(1));
  EXPECT_EQ(server_.s3().size(), 0);
  gate->open();
  EXPECT_THAT(client.receive_all(), StartsWith("HTTP/1.1 200"));
}

TEST_F(HostileServer, a_black_hole_takes_no_connection_and_answers_none_until_it_is_healed) {
  RawClient before(server_);
  before.send("GET", "/bucket/a");
  EXPECT_THAT(before.receive_head(), StartsWith("HTTP/1.1 404"));
  server_.black_hole();
  before.send("GET", "/bucket/b");
  ASSERT_TRUE(server_.wait_for_requests(2));
  const RawClient during(server_, SOCK_NONBLOCK);
  EXPECT_FALSE(during.connected_within(50));
  server_.heal();
  EXPECT_TRUE(during.connected_within(20'000));
  EXPECT_THAT(ask("GET", "/bucket/c"), StartsWith("HTTP/1.1 404"));
}

TEST(HostileServerEnd, is_prompt_whatever_its_connections_wait_for) {
  std::optional<HostileHttpServer> server(std::in_place);
  server->s3().put("large", std::string(12 << 20, 'x'));
  std::vector<HttpRule> rules = {{.delivery = HttpDelivery::silence},      {.delivery = HttpDelivery::read_nothing},
                                 {.delivery = HttpDelivery::endless_head}, {.delivery = HttpDelivery::endless_body},
                                 {.delivery = HttpDelivery::drip},         {.gate = std::make_shared<Gate>()},
                                 {.delivery = HttpDelivery::whole},        {.delivery = HttpDelivery::length_too_long}};
  std::vector<std::unique_ptr<RawClient>> clients;
  for (const HttpRule& rule : rules) {
    server->add(rule);
    clients.push_back(std::make_unique<RawClient>(*server));
    clients.back()->send("GET", "/bucket/large");  // and its answer is not read
    ASSERT_TRUE(server->wait_for_requests(clients.size()));
  }
  clients.push_back(std::make_unique<RawClient>(*server));
  clients.back()->send("PUT /bucket/half HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf of it");
  clients.push_back(std::make_unique<RawClient>(*server));
  ASSERT_TRUE(server->wait_for_requests(clients.size() - 1));
  server->black_hole();
  const auto start = std::chrono::steady_clock::now();
  server.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace cairn
