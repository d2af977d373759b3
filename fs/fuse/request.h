// One request of the kernel: the context it runs in, and the one way to answer it.
#pragma once

#include <atomic>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "base/contained.h"
#include "base/request_context.h"
#include "fs/fuse/endpoint.h"
#include "fs/fuse/libfuse.h"

namespace cairn {

// What a request is, as far as waiting goes. A publication has the later of the endpoint's deadlines; a read is the one
// that ^C ends although the program handles it.
enum class RequestKind { plain, read, publish };

// Lives on the stack of the thread that serves the request. The context's stop token fires when Interrupts lets the
// caller go and when the endpoint stops.
// Failures: an error is answered as its errno, and logged if it is a fault; an exception from a library as EIO.
class Request {
 public:
  Request(fuse_req_t raw, const Subject& subject, RequestKind kind = RequestKind::plain);
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  [[nodiscard]] FileSystem& files() const { return endpoint_.files; }
  [[nodiscard]] HandleUsers& users() const { return endpoint_.users; }
  [[nodiscard]] Caller caller() const;
  [[nodiscard]] pid_t thread() const;
  // The caller is root, with root's capabilities.
  [[nodiscard]] bool is_administrator() const;

  // Runs `body(context)`, which returns a Result, and then `reply(value)` (`reply()` for Result<void>), which sends
  // the answer with one of fuse_reply_*.
  template <class Body, class Reply>
  void answer(const Body& body, const Reply& reply) {
    auto result = guarded(body);
    listen_no_more();
    if (!result) return fail_with(result.error());
    if constexpr (std::is_void_v<typename decltype(result)::value_type>) {
      reply();
    } else {
      reply(*std::move(result));
    }
  }
  // The same for requests whose only answer is "done".
  template <class Body>
  void answer(const Body& body) {
    answer(body, [this] { fuse_reply_err(raw_, 0); });
  }

 private:
  struct Forward {
    std::stop_source to;
    void operator()() const noexcept { std::stop_source(to).request_stop(); }
  };

  template <class Body>
  auto guarded(const Body& body) -> decltype(body(std::declval<const RequestContext&>())) {
    if (abandoned_) return fail(Errc::cancelled, "its caller was killed before it began");
    return contained([&] { return body(context_); });
  }
  static void interrupted(fuse_req_t raw, void* self);
  Interrupts::Ticket follow();
  // After this no signal reaches the request: libfuse frees it with the reply.
  void listen_no_more();
  void fail_with(const Error& error);

  const fuse_req_t raw_;
  Endpoint& endpoint_;
  const Subject subject_;
  const RequestKind kind_;
  std::stop_source stop_;
  const std::stop_callback<Forward> endpoint_stops_;
  const RequestContext context_;
  std::atomic<Interrupts::Ticket> followed_{0};  // 0: not yet
  bool abandoned_ = false;
};

// The endpoint of `raw`, for the few requests that need no context.
Endpoint& endpoint_of(fuse_req_t raw);

}  // namespace cairn
