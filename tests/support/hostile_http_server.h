// An S3 endpoint inside the test, on a real socket, that misbehaves as it is told: faults are data.
//
//   HostileHttpServer server;                                                 // a correct, empty S3
//   server.add({.method = "PUT", .delivery = HttpDelivery::close, .happens = true});  // the next PUT is ambiguous
//   server.add({.target_part = "/chunks/", .times = HttpRule::kAlways, .reply = s3_error(503, "SlowDown")});
//   … server.bucket_url() …
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "base/wait.h"
#include "tests/support/http_connection.h"
#include "tests/support/http_rule.h"
#include "tests/support/memory_s3.h"

namespace cairn {

// Listens on a free port of 127.0.0.1. Of the rules that match a request the first added that hits is applied; without
// one it is answered by s3(). Connections are kept alive.
// Thread-safety: all methods may be called from any thread. A thread per connection.
// Ownership: the destructor ends all connections, whatever they wait for, and every thread.
class HostileHttpServer {
 public:
  // Sees every request; what it returns is the answer, in place of the rule's or S3's, and S3 is not asked.
  using Hook = std::function<std::optional<HttpReply>(const SeenRequest& request, std::string_view body)>;

  explicit HostileHttpServer(std::string bucket = "bucket", Hook hook = {});
  ~HostileHttpServer();
  HostileHttpServer(const HostileHttpServer&) = delete;
  HostileHttpServer& operator=(const HostileHttpServer&) = delete;

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }  // "http://127.0.0.1:12345"
  [[nodiscard]] std::string bucket_url() const { return endpoint_ + "/" + bucket_; }
  [[nodiscard]] MemoryS3& s3() { return s3_; }

  void add(HttpRule rule);
  // Packets vanish, as behind a firewall: connections wait in vain to be accepted, and nobody is answered any more.
  void black_hole();
  // Forgets all rules and ends the black hole. A request that it swallowed stays unanswered.
  void heal();

  // Requests whose head has come in so far, in that order.
  [[nodiscard]] std::vector<SeenRequest> requests() const;
  [[nodiscard]] uint64_t count(std::string_view method = {}, std::string_view target_part = {}) const;
  [[nodiscard]] uint64_t connections() const;  // accepted so far
  void forget_requests();
  // Waits until count() >= `count`; false if that takes longer than 30 s.
  [[nodiscard]] bool wait_for_requests(uint64_t count);

 private:
  struct ActiveRule {
    HttpRule rule;
    uint64_t matches = 0;
  };
  struct Session {
    std::atomic<bool> ended{false};
    std::thread thread;
  };

  void listen();
  void accept_connections();
  void serve(UniqueFd socket);
  // Whether the connection can be used for another request.
  bool serve_one(HttpConnection& connection);
  // Records the request; the rule that hits it.
  HttpRule enter(const SeenRequest& request);
  [[nodiscard]] bool in_black_hole() const;
  // Waits for the rule's gate; false if the server stops.
  bool pass_gate(const HttpRule& rule);

  const std::string bucket_;
  const Hook hook_;
  MemoryS3 s3_;
  UniqueFd listener_;
  UniqueFd stop_event_;
  std::string endpoint_;
  std::stop_source stop_;

  mutable Mutex mutex_;
  Condition changed_;
  std::vector<ActiveRule> rules_ CAIRN_GUARDED_BY(mutex_);
  std::vector<SeenRequest> requests_ CAIRN_GUARDED_BY(mutex_);
  uint64_t connections_ CAIRN_GUARDED_BY(mutex_) = 0;
  bool black_hole_ CAIRN_GUARDED_BY(mutex_) = false;
  std::vector<UniqueFd> fillers_ CAIRN_GUARDED_BY(mutex_);  // connections of our own that fill the backlog

  std::list<Session> sessions_;  // of the accepting thread, until it has ended
  std::thread acceptor_;
};

}  // namespace cairn
