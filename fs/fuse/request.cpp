#include "fs/fuse/request.h"

#include "fs/errno.h"

namespace cairn {

namespace {

// Where ids may be mapped, the kernel says whose a request is only if it makes something.
constexpr uint32_t kNobodySaid = ~0U;

RequestContext context_for(const EndpointOptions& options, RequestKind kind, std::stop_token stop) {
  const bool publish = kind == RequestKind::publish;
  return RequestContext::within(publish ? options.publish_timeout : options.request_timeout,
                                publish ? Cause::write_back : Cause::demand, std::move(stop));
}

}  // namespace

Endpoint& endpoint_of(fuse_req_t raw) { return *static_cast<Endpoint*>(fuse_req_userdata(raw)); }

Request::Request(fuse_req_t raw, const Subject& subject, RequestKind kind)
    : raw_(raw),
      endpoint_(endpoint_of(raw)),
      subject_(subject),
      kind_(kind),
      endpoint_stops_(endpoint_.stop.get_token(), Forward{stop_}),
      context_(context_for(endpoint_.options, kind, stop_.get_token())) {
  if (kind_ == RequestKind::publish) followed_ = follow();
  fuse_req_interrupt_func(raw_, &Request::interrupted, this);
  // It waited in a queue, or a signal overtook it.
  if (fuse_req_interrupted(raw_) != 0) abandoned_ = endpoint_.interrupts.is_dying(fuse_req_ctx(raw_)->pid);
}

Request::~Request() {
  if (followed_ != 0) endpoint_.interrupts.forget(followed_);
}

Interrupts::Ticket Request::follow() {
  return endpoint_.interrupts.follow(fuse_req_ctx(raw_)->pid, kind_ == RequestKind::read, stop_);
}

Caller Request::caller() const {
  const fuse_ctx* context = fuse_req_ctx(raw_);
  Caller caller{context->uid, context->gid, static_cast<uint32_t>(context->pid)};
  if (caller.uid == kNobodySaid) caller.uid = endpoint_.callers.user_of(context->pid).value_or(kNobodySaid);
  return caller;
}

pid_t Request::thread() const { return fuse_req_ctx(raw_)->pid; }

bool Request::is_administrator() const { return caller().uid == 0 && endpoint_.callers.may_administer(thread()); }

void Request::interrupted(fuse_req_t /*raw*/, void* self) {
  auto* request = static_cast<Request*>(self);
  if (request->followed_ == 0) request->followed_ = request->follow();
  request->endpoint_.interrupts.signalled(request->followed_);
}

void Request::listen_no_more() { fuse_req_interrupt_func(raw_, nullptr, nullptr); }

void Request::fail_with(const Error& error) {
  const int errno_value = to_errno(error);
  endpoint_.errors.report(subject_, error, errno_value);
  fuse_reply_err(raw_, errno_value);
}

}  // namespace cairn
